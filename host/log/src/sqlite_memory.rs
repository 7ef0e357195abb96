//! What a strategy's statements may allocate: SQLite's own limits bound one value, one text, one program,
//! but not what its compiler makes of a short text. Twenty-four subqueries, each of which uses the one
//! within it twice, are a gigabyte of expressions and most of a minute in which nothing is asked whether it
//! may go on.
//!
//! SQLite's hard heap limit counts for the whole process, under a lock. Here each thread counts for itself
//! (a session stays on its thread while a request runs), and only while a strategy's statement does.
//!
//! Nor does SQLite ask whether it may go on between two jumps backwards of a program: fifteen hundred terms of one IN
//! list, each of 64 KB, are one straight line. What is overdue gets no more memory, so such a line ends where it next
//! asks for some.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::sync::OnceLock;

use rusqlite::ffi;

use crate::authorizer::Author;
use crate::overdue;

/// Most bytes that one statement of a page may add: an honest one has some hundred KiB, and the page cache
/// that it fills 2 MiB.
pub const PAGE_BYTES: u64 = 32 << 20;

/// The same in a refresh: its cache and its sorter have 64 MiB each, and a feed that is being filled.
const REFRESH_BYTES: u64 = 512 << 20;

thread_local! {
    /// Bytes that this thread may still allocate: all there are, but for a strategy's statement.
    static LEFT: Cell<i64> = const { Cell::new(i64::MAX) };
}

/// SQLite's own allocator, which does the work.
#[derive(Clone, Copy)]
struct Allocator {
    allocate: unsafe extern "C" fn(c_int) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void),
    resize: unsafe extern "C" fn(*mut c_void, c_int) -> *mut c_void,
    size: unsafe extern "C" fn(*mut c_void) -> c_int,
}

static SQLITE: OnceLock<Allocator> = OnceLock::new();

/// Has this process's SQLite ask here before it allocates. To be called before its first connection: later,
/// SQLite does not change its allocator, and what it allocates stays uncounted. Returns whether it counts.
pub fn count() -> bool {
    static COUNTS: OnceLock<bool> = OnceLock::new();
    *COUNTS.get_or_init(|| install().is_some())
}

/// From now on this thread allocates for this author's statements.
pub(super) fn allocate_for(author: Author) {
    let bytes = match author {
        Author::Page => PAGE_BYTES,
        Author::Refresh => REFRESH_BYTES,
        Author::Host => u64::MAX,
    };
    LEFT.set(i64::try_from(bytes).unwrap_or(i64::MAX));
}

#[allow(unsafe_code, reason = "SQLite takes its allocator as C functions")]
fn install() -> Option<()> {
    let mut methods = ffi::sqlite3_mem_methods {
        xMalloc: None,
        xFree: None,
        xRealloc: None,
        xSize: None,
        xRoundup: None,
        xInit: None,
        xShutdown: None,
        pAppData: std::ptr::null_mut(),
    };
    // SAFETY: SQLite writes its own methods to the place given, which is of the type that it expects, and
    // copies those that it is given from there. Once it is in use it refuses both calls.
    unsafe {
        if ffi::sqlite3_config(ffi::SQLITE_CONFIG_GETMALLOC, &raw mut methods) != ffi::SQLITE_OK {
            return None;
        }
        // Known before it is asked for.
        let _ = SQLITE.set(Allocator {
            allocate: methods.xMalloc?,
            free: methods.xFree?,
            resize: methods.xRealloc?,
            size: methods.xSize?,
        });
        methods.xMalloc = Some(allocate);
        methods.xFree = Some(free);
        methods.xRealloc = Some(resize);
        (ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &raw mut methods) == ffi::SQLITE_OK).then_some(())
    }
}

fn spend(bytes: c_int) {
    LEFT.set(LEFT.get().saturating_sub(i64::from(bytes)));
}

fn may_have(bytes: c_int) -> bool {
    i64::from(bytes) <= LEFT.get() && !overdue::is_running_overdue()
}

/// An allocation that would be too much, or comes too late, fails, which SQLite takes as any other lack of memory.
#[allow(unsafe_code, reason = "called by SQLite")]
unsafe extern "C" fn allocate(bytes: c_int) -> *mut c_void {
    let Some(sqlite) = SQLITE.get().filter(|_| may_have(bytes)) else {
        return std::ptr::null_mut();
    };
    // SAFETY: SQLite's own function, called as SQLite calls it.
    unsafe {
        let place = (sqlite.allocate)(bytes);
        if !place.is_null() {
            spend((sqlite.size)(place));
        }
        place
    }
}

#[allow(unsafe_code, reason = "called by SQLite")]
unsafe extern "C" fn free(place: *mut c_void) {
    if let (false, Some(sqlite)) = (place.is_null(), SQLITE.get()) {
        // SAFETY: the place came from the same allocator.
        unsafe {
            spend(-(sqlite.size)(place));
            (sqlite.free)(place);
        }
    }
}

#[allow(unsafe_code, reason = "called by SQLite")]
unsafe extern "C" fn resize(place: *mut c_void, bytes: c_int) -> *mut c_void {
    let Some(sqlite) = SQLITE.get() else { return std::ptr::null_mut() };
    // SAFETY: the place came from the same allocator; where it returns nothing, the old place stays.
    unsafe {
        let before = (sqlite.size)(place);
        if bytes > before && !may_have(bytes - before) {
            return std::ptr::null_mut();
        }
        let moved = (sqlite.resize)(place, bytes);
        if !moved.is_null() {
            spend((sqlite.size)(moved) - before);
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_overdue_gets_no_memory_and_the_host_does() {
        let flag = overdue::Flag::default();
        allocate_for(Author::Page);
        flag.enter();
        assert!(may_have(1));
        flag.set(true);
        assert!(!may_have(1));
        allocate_for(Author::Host);
        overdue::leave();
        assert!(may_have(1));
    }

    #[test]
    fn a_threads_allowance_is_its_own_and_ends_with_the_statement() {
        allocate_for(Author::Page);
        spend(1 << 20);
        assert_eq!(LEFT.get(), (32 << 20) - (1 << 20));
        let other = std::thread::spawn(|| LEFT.get()).join().unwrap();
        allocate_for(Author::Host);
        assert_eq!((other, LEFT.get()), (i64::MAX, i64::MAX));
    }
}
