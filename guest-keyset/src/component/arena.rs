//! The guest's allocator: a fixed arena first, the standard allocator when it is used up.
//!
//! The standard allocator grows the memory before its first allocation. To a host that makes an
//! instance for each page, growing means two changes of page protection a page, and on several workers
//! these wait for each other: they were two thirds of the time of a page that is past the end. The
//! arena is part of the memory that an instance starts with.
#![expect(unsafe_code, reason = "an allocator hands out raw memory")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};

/// Enough for a page of 50 events and all its look-ups, several times over.
const ARENA: usize = 96 * 1024;

#[global_allocator]
static ALLOCATOR: Arena = Arena { memory: UnsafeCell::new([0; ARENA]), used: Cell::new(0) };

#[repr(align(16))]
struct Arena {
    memory: UnsafeCell<[u8; ARENA]>,
    used: Cell<usize>,
}

// SAFETY: a component without the threads proposal, which the host does not offer, has one thread.
unsafe impl Sync for Arena {}

impl Arena {
    fn first(&self) -> *mut u8 {
        self.memory.get().cast()
    }

    fn holds(&self, pointer: *mut u8) -> bool {
        let first = self.first() as usize;
        (first..first + ARENA).contains(&(pointer as usize))
    }
}

// SAFETY: `used` only grows, but for the return of the very last block, so blocks of the arena never
// overlap; each is aligned and lies inside. All others are the standard allocator's, and go back to it.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let first = self.first() as usize;
        let start = (first + self.used.get()).next_multiple_of(layout.align()) - first;
        match start.checked_add(layout.size()) {
            Some(end) if end <= ARENA => {
                self.used.set(end);
                // SAFETY: `start` lies inside the arena.
                unsafe { self.first().add(start) }
            }
            // SAFETY: the caller's layout, unchanged.
            _ => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if self.holds(pointer) {
            let start = pointer as usize - self.first() as usize;
            if start + layout.size() == self.used.get() {
                self.used.set(start);
            }
        } else {
            // SAFETY: not of the arena, so `alloc` had it from the standard allocator.
            unsafe { System.dealloc(pointer, layout) };
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !self.holds(pointer) {
            // SAFETY: not of the arena, so `alloc` had it from the standard allocator.
            return unsafe { System.realloc(pointer, layout, size) };
        }
        let start = pointer as usize - self.first() as usize;
        let last = start + layout.size() == self.used.get();
        if last && size <= ARENA - start {
            self.used.set(start + size);
            return pointer;
        }
        // SAFETY: the caller's alignment with its new size, which it has checked.
        let moved = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !moved.is_null() {
            // SAFETY: both blocks hold as many bytes, and a new block overlaps no other.
            unsafe { pointer.copy_to_nonoverlapping(moved, layout.size().min(size)) };
        }
        moved
    }
}
