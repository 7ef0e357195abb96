//! The library's side of the tests: a log of the table's size, and workers of hostile strategies.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use keyhole_lab::selftest::cases::{self, Case, ROWS};
use keyhole_lab::selftest::run::{Outcome, run};
use keyhole_lab::selftest::stage::Stage;
use keyhole_lab::selftest::zoo;
use keyhole_log::Log;
use keyhole_log::grants::Grants;
use keyhole_log::grants::Instances;
use keyhole_runtime::engine::Engine;
use keyhole_runtime::page::Worker;
use keyhole_runtime::strategy::Strategy;
use tempfile::TempDir;

use crate::support::Place;

/// The log that the table's requests are meant for, made once. Only read.
pub(super) fn log() -> &'static Path {
    static LOG: OnceLock<(Place, PathBuf)> = OnceLock::new();
    let (_, log) = LOG.get_or_init(|| {
        let place = Place::new();
        let log = place.small_data(ROWS);
        (place, log)
    });
    log
}

/// The engine of this process: as in a host, the attacks share it.
pub(super) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(crate::support::engine)
}

/// The row of the table of that name.
pub(super) fn case(name: &str) -> &'static Case {
    cases::find(name).unwrap_or_else(|| panic!("{name} is not in the table"))
}

/// A worker of a case's strategy on the log.
pub(super) fn worker(case: &Case) -> Worker {
    worker_under(case, case.grants(), case.instances)
}

/// The same with other grants and other instances than the table's.
pub(super) fn worker_under(case: &Case, grants: Grants, instances: Instances) -> Worker {
    let bytes = zoo::component(case.name).unwrap();
    let strategy = Strategy::load(engine(), case.name, Path::new(case.name), &bytes, grants).unwrap();
    Worker::new(engine(), &strategy, instances, &Log::open(log()).unwrap(), None)
}

/// Plays a case as `selftest` does, in this process. A stage takes each case once.
pub(super) fn play(case: &Case) -> Outcome {
    static STAGE: OnceLock<(TempDir, Stage)> = OnceLock::new();
    let (_, stage) = STAGE.get_or_init(stage);
    play_on(stage, case)
}

/// The same on a stage of the test's own.
pub(super) fn play_on(stage: &Stage, case: &Case) -> Outcome {
    run(engine(), stage, case).unwrap()
}

/// A stage in a folder of the build's, which has room for scratch.
pub(super) fn stage() -> (TempDir, Stage) {
    let folder = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let stage = Stage::make(folder.path()).unwrap();
    (folder, stage)
}
