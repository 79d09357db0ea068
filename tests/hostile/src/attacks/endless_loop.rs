//! A loop that calls nothing.

pub(super) fn run() -> String {
    let mut number = 0_u64;
    while std::hint::black_box(number) != 1 {
        number = number.wrapping_add(2);
    }
    "ESCAPED: it ended".to_owned()
}
