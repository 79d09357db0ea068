//! What a component needs that does without the standard library: memory, and what becomes of a panic.

use alloc::alloc::{Layout, alloc, realloc};
use core::arch::wasm32::unreachable;

#[global_allocator]
static MEMORY: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

// For `memcpy` and the like.
#[link(name = "c")]
unsafe extern "C" {}

/// Strongroom calls this for the arguments.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_len: usize, align: usize, new_len: usize) -> *mut u8 {
    if new_len == 0 {
        return align as *mut u8;
    }
    let Ok(layout) = Layout::from_size_align(if old_len == 0 { new_len } else { old_len }, align) else {
        unreachable()
    };
    let new = unsafe { if old_len == 0 { alloc(layout) } else { realloc(old, layout, new_len) } };
    if new.is_null() { unreachable() } else { new }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unreachable()
}
