//! Memory of a component that lives for one call: it is handed out and never taken back.
#![allow(unsafe_code)]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size, unreachable};
use core::cell::Cell;
use core::ptr::{addr_of, null_mut};

const PAGE: usize = 64 << 10;
/// It grows by this many pages at least, because growing is slow.
const STEP: usize = 16;

struct Forward {
    /// The first byte that is free; 0 before the first is taken.
    free: Cell<usize>,
    /// The byte after the last of memory.
    end: Cell<usize>,
}

// Safety: a component of this kind has one thread.
unsafe impl Sync for Forward {}

#[global_allocator]
static MEMORY: Forward = Forward { free: Cell::new(0), end: Cell::new(0) };

// For `memcmp` and the like, which need nothing in turn.
#[link(name = "c")]
unsafe extern "C" {
    /// Where the linker's own data ends.
    static __heap_base: u8;
}

// Safety: what is handed out lies between the linker's data and the end of memory, is aligned, and is handed out once.
unsafe impl GlobalAlloc for Forward {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.end.get() == 0 {
            self.free.set(addr_of!(__heap_base) as usize);
            self.end.set(memory_size(0) * PAGE);
        }
        let end_of = |start: usize| start.checked_add(layout.size());
        let Some(start) = self.free.get().checked_next_multiple_of(layout.align()) else { return null_mut() };
        let Some(end) = end_of(start) else { return null_mut() };
        if end > self.end.get() {
            let pages = (end - self.end.get()).div_ceil(PAGE).max(STEP);
            if memory_grow(0, pages) == usize::MAX {
                return null_mut();
            }
            self.end.set(self.end.get().saturating_add(pages * PAGE));
        }
        self.free.set(end);
        start as *mut u8
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

/// What the canonical ABI allocates with. `wit-bindgen` leaves it to the C library, which is not here.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_len: usize, align: usize, new_len: usize) -> *mut u8 {
    if new_len == 0 {
        return align as *mut u8;
    }
    let Ok(layout) = Layout::from_size_align(new_len, align) else { unreachable() };
    // Safety: the length is not zero; `old` was handed out here with `old_len` bytes, by the canonical ABI.
    let new = unsafe { MEMORY.alloc(layout) };
    if new.is_null() {
        unreachable();
    }
    if old_len > 0 {
        // Safety: both have that many bytes, and `new` is handed out only now.
        unsafe { core::ptr::copy_nonoverlapping(old, new, old_len.min(new_len)) };
    }
    new
}

/// There is nobody to tell. The host reports the trap.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unreachable()
}
