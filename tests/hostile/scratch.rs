//! What attacks by a strategy's own tables may cost.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use keyhole_lab::selftest::zoo;
use keyhole_log::grants::Instances;
use keyhole_log::model::Pager;
use keyhole_runtime::page::Worker;
use keyhole_runtime::scratch::Scratch;
use keyhole_runtime::strategy::Strategy;

use super::host;

/// Bytes that this thread has written to files.
fn written() -> u64 {
    let account = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    account.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap()
}

/// The quota holds while a statement runs, for files without a name too: a refresh runs on its caller's
/// thread, so the thread's account has all that it wrote.
#[test]
fn temporary_files_are_cut_near_the_quota() {
    let case = host::case("scratch-temporary-files");
    let (_folder, stage) = host::stage();
    let before = written();
    assert!(host::play_on(&stage, case).as_expected);
    let (written, quota) = (written() - before, case.grants().scratch_quota);
    println!("{written} bytes written at a quota of {quota}");
    assert!(written > quota, "the attack must reach its quota to show anything: {written}");
    assert!(written <= 2 * quota, "{written} bytes written at a quota of {quota}");
}

/// A strategy whose refresh fails costs a fill now and then, not one for each request.
#[test]
fn a_fill_that_fails_is_not_repeated_by_each_request() {
    const REQUESTS: usize = 200;
    let case = host::case("scratch-goes-back");
    let (folder, stage) = host::stage();
    let engine = host::engine();
    let component = zoo::component(case.name).unwrap();
    let strategy =
        Strategy::load(engine, case.name, Path::new(case.name), &component, case.grants()).unwrap();
    let log = stage.log().unwrap();
    let fills = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&fills);
    let whole = move |fed, all| {
        if fed == all {
            seen.fetch_add(1, Ordering::Relaxed);
        }
    };
    let scratch = Scratch::new(engine, &strategy, &log, &folder.path().join("own"), Some(Box::new(whole)));
    let began = Instant::now();
    let mut worker = Worker::new(engine, &strategy, Instances::Fresh, &log, Some(scratch));
    for _ in 0..REQUESTS {
        let error = worker.page(&case.request()).unwrap_err();
        assert_eq!(error.code(), "scratch-refused", "{error}");
        assert!(error.to_string().contains("tried again in"), "{error}");
    }
    // Pauses of 1, 2, 4 ... seconds: a busy machine may see more than the first of them pass.
    let pauses = (began.elapsed().as_secs() + 1).ilog2() as usize;
    let fills = fills.load(Ordering::Relaxed);
    assert!((1..=1 + pauses).contains(&fills), "{fills} fills for {REQUESTS} requests, {pauses} pauses");
}
