//! A panic with a message of ten million bytes.

pub(super) fn run() -> String {
    panic!("{}", "\x1b[31mI am dying! ".repeat(650_000))
}
