//! The library's side of the tests: a log of the table's size, and workers of hostile strategies.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use keyhole::engine::Engine;
use keyhole::log::Log;
use keyhole::policy::Grants;
use keyhole::selftest::cases::{Case, ROWS};
use keyhole::selftest::zoo;
use keyhole::strategy::{Instances, Strategy, Worker};

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

/// The engine of this process.
pub(super) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(crate::support::engine)
}

/// The strategy `name` of the zoo under these grants.
pub(super) fn strategy(name: &str, grants: Grants) -> Arc<Strategy> {
    let bytes = zoo::component(name).unwrap();
    Strategy::load(engine(), name, Path::new(name), &bytes, grants).unwrap()
}

/// A worker of a strategy on the log.
pub(super) fn worker(strategy: &Arc<Strategy>, instances: Instances) -> Worker {
    Worker::new(engine(), strategy, instances, &Log::open(log()).unwrap(), None)
}

/// What local verbs grant, with a case's own limits.
pub(super) fn grants(case: &Case) -> Grants {
    Grants { limits: case.limits(), ..Grants::local() }
}
