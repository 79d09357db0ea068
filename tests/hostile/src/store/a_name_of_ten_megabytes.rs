//! A table whose name has ten million bytes.

pub(super) fn run() -> String {
    super::refused("scan(...)", super::open().scan(&"x".repeat(10_000_000), None, None))
}
