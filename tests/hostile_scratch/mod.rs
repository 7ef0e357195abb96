//! Attacks by and on a strategy's own tables, and strategies whose behaviour depends on what it must not
//! depend on: each is observed as the table of cases says.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use keyhole::engine::Engine;
use keyhole::page::Pager;
use keyhole::scratch::Scratch;
use keyhole::selftest::cases::{self, Group};
use keyhole::selftest::run::{Outcome, run};
use keyhole::selftest::stage::Stage;
use keyhole::selftest::zoo;
use keyhole::strategy::{Instances, Strategy, Worker};
use tempfile::TempDir;

/// A test for each strategy of the two groups, and the list of them.
macro_rules! each {
    ($($test:ident $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                assert_observed($name);
            }
        )*

        #[test]
        fn every_case_of_these_groups_has_its_test() {
            let mut tested = vec![$($name),*];
            let of_group = |case: &&cases::Case| matches!(case.group, Group::Scratch | Group::Behaviour);
            let mut listed: Vec<&str> = cases::all().filter(of_group).map(|case| case.name).collect();
            tested.sort_unstable();
            listed.sort_unstable();
            assert_eq!(tested, listed);
        }
    };
}

each! {
    asks_for_more_than_it_uses "asks-for-more-than-it-uses",
    counts_calls "counts-calls",
    crash_then_answer "crash-then-answer",
    detects_audit "detects-audit",
    honest_index "honest-index",
    lies_to_one_window "lies-to-one-window",
    non_deterministic "non-deterministic",
    reads_everything "reads-everything",
    remembers_requests "remembers-requests",
    scratch_claims_more "scratch-claims-more",
    scratch_corrupted "scratch-corrupted",
    scratch_counts_refreshes "scratch-counts-refreshes",
    scratch_endless_refresh "scratch-endless-refresh",
    scratch_fill_disk "scratch-fill-disk",
    scratch_from_other_log "scratch-from-other-log",
    scratch_goes_back "scratch-goes-back",
    scratch_holds_log "scratch-holds-log",
    scratch_hostile_schema "scratch-hostile-schema",
    scratch_leaves_transaction "scratch-leaves-transaction",
    scratch_lies_later "scratch-lies-later",
    scratch_reads_log_in_refresh "scratch-reads-log-in-refresh",
    scratch_rewrites "scratch-rewrites",
    scratch_shadows_log "scratch-shadows-log",
    scratch_temporary_files "scratch-temporary-files",
    scratch_trigger "scratch-trigger",
    scratch_writes_host_tables "scratch-writes-host-tables",
    traps_in_one_window "traps-in-one-window",
    slow_when_deep "slow-when-deep",
    slow_when_large "slow-when-large",
    spin_in_refresh "spin-in-refresh",
    wakes_at_high_water "wakes-at-high-water",
    write_log_in_refresh "write-log-in-refresh",
    write_scratch_in_page "write-scratch-in-page",
}

/// One stage and one engine for all: as in a host, the attacks share them.
fn play(name: &str) -> Outcome {
    static STAGE: OnceLock<(TempDir, Stage, Engine)> = OnceLock::new();
    let (_, stage, engine) = STAGE.get_or_init(|| {
        let folder = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
        let stage = Stage::make(folder.path()).unwrap();
        (folder, stage, crate::support::engine())
    });
    run(engine, stage, cases::find(name).unwrap()).unwrap()
}

fn assert_observed(name: &str) {
    let outcome = play(name);
    let case = cases::find(name).unwrap();
    println!("{name}: {outcome:?}");
    assert!(outcome.as_expected, "{name}: expected {:?}, found {outcome:?}", case.expected);
}

/// Bytes that this thread has written to files.
fn written() -> u64 {
    let account = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    account.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap()
}

/// The quota holds while a statement runs, for files without a name too: a refresh runs on its caller's
/// thread, so the thread's account has all that it wrote.
#[test]
fn temporary_files_are_cut_near_the_quota() {
    let name = "scratch-temporary-files";
    let before = written();
    assert_observed(name);
    let (written, quota) = (written() - before, cases::find(name).unwrap().grants().scratch_quota);
    println!("{written} bytes written at a quota of {quota}");
    assert!(written > quota, "the attack must reach its quota to show anything: {written}");
    assert!(written <= 2 * quota, "{written} bytes written at a quota of {quota}");
}

/// A strategy whose refresh fails costs a fill now and then, not one for each request.
#[test]
fn a_fill_that_fails_is_not_repeated_by_each_request() {
    const REQUESTS: usize = 200;
    let name = "scratch-goes-back";
    let folder = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let stage = Stage::make(folder.path()).unwrap();
    let engine = crate::support::engine();
    let case = cases::find(name).unwrap();
    let component = zoo::component(name).unwrap();
    let strategy = Strategy::load(&engine, name, Path::new(name), &component, case.grants()).unwrap();
    let log = stage.log().unwrap();
    let fills = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&fills);
    let whole = move |fed, all| {
        if fed == all {
            seen.fetch_add(1, Ordering::Relaxed);
        }
    };
    let scratch = Scratch::new(&engine, &strategy, &log, &folder.path().join("own"), Some(Box::new(whole)));
    let began = Instant::now();
    let mut worker = Worker::new(&engine, &strategy, Instances::Fresh, &log, Some(scratch));
    for _ in 0..REQUESTS {
        let error = worker.page(&case.ask.request()).unwrap_err();
        assert_eq!(error.code(), "scratch-refused", "{error}");
        assert!(error.to_string().contains("tried again in"), "{error}");
    }
    // Pauses of 1, 2, 4 ... seconds: a busy machine may see more than the first of them pass.
    let pauses = (began.elapsed().as_secs() + 1).ilog2() as usize;
    let fills = fills.load(Ordering::Relaxed);
    assert!((1..=1 + pauses).contains(&fills), "{fills} fills for {REQUESTS} requests, {pauses} pauses");
}
