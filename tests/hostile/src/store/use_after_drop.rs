//! Goes on with a cursor that it has dropped.

use crate::bindings::strongroom::kv::kv_store::Bytes;

#[allow(unsafe_code)]
pub(super) fn run() -> String {
    let store = super::open();
    let cursor = super::scan(&store);
    let handle = cursor.handle();
    drop(cursor);
    // Safety: none; that is the point.
    let again = std::mem::ManuallyDrop::new(unsafe { Bytes::from_handle(handle) });
    super::refused("read", again.read(100))
}
