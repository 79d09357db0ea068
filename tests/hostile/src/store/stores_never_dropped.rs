//! Opens the store again and again.

pub(super) fn run() -> String {
    loop {
        std::mem::forget(super::open());
    }
}
