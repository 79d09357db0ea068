//! A function that calls itself.

#[allow(unconditional_recursion)]
fn deeper(depth: u64) -> u64 {
    std::hint::black_box(deeper(std::hint::black_box(depth + 1))) + 1
}

pub(super) fn run() -> String {
    format!("ESCAPED: {}", deeper(0))
}
