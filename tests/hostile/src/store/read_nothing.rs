//! Reads no bytes at once.

pub(super) fn run() -> String {
    super::refused("read(0)", super::scan(&super::open()).read(0))
}
