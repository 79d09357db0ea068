//! Reads as much at once as a number can say.

pub(super) fn run() -> String {
    super::refused("read(4294967295)", super::scan(&super::open()).read(u32::MAX))
}
