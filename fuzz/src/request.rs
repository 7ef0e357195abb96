//! Requests: whatever is sent, parsing ends with a request or an error; what it takes means itself.

use std::path::Path;
use std::sync::OnceLock;

use keyhole_runtime::page::{Cursors, parse};

/// Any text as a request.
pub fn target(data: &[u8]) {
    static CURSORS: OnceLock<Cursors> = OnceLock::new();
    let cursors = CURSORS.get_or_init(|| open_cursors("request"));
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(request) = parse::request(text, Some(cursors)) else { return };
    assert!(request.page_size > 0, "a page of no events");
    let printed = serde_json::to_string(&request).unwrap();
    let again = parse::request(&printed, None).unwrap();
    assert_eq!(again, request, "{printed} is not what it was read from");
}

/// Cursors with a key of this process's own.
pub(crate) fn open_cursors(log: &str) -> Cursors {
    let state = tempfile::tempdir().unwrap();
    let cursors = Cursors::open(Path::new(state.path()), log.to_owned()).unwrap();
    state.close().unwrap();
    cursors
}
