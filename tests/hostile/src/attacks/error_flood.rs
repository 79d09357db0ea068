//! Everything that fits onto stderr.

pub(super) fn run() -> String {
    loop {
        eprintln!("{}", "flood ".repeat(1000));
    }
}
