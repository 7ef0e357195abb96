//! What a storm takes place on: a log, the honest strategy, and the hostile ones, compiled once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyhole_lab::selftest::{cases, zoo};
use keyhole_log::Log;
use keyhole_log::grants::Instances;
use keyhole_log::grants::{Grants, KEY_COLUMNS};
use keyhole_log::limits::Limits;
use keyhole_log::model::PageRequest;
use keyhole_runtime::embedded;
use keyhole_runtime::engine::Engine;
use keyhole_runtime::page::Worker;
use keyhole_runtime::page::parse;
use keyhole_runtime::scratch::Scratch;
use keyhole_runtime::strategy::Strategy;

use super::load::Seen;
use crate::support::Place;
use crate::support::writer::{Model, Writer, whole_log};

/// Pages of fifty that the log has at the start.
pub(super) const PAGES: u64 = 400;

const SIZE: usize = 50;

pub(super) struct Stage {
    _place: Place,
    data: PathBuf,
    engine: Engine,
    log: Log,
    honest: Arc<Strategy>,
    scratch: Arc<Scratch>,
    /// Each hostile strategy without a share, and with a share of one request at once.
    hostile: BTreeMap<&'static str, [Arc<Strategy>; 2]>,
    /// The live system's writer.
    pub(super) writer: Mutex<Writer>,
}

impl Stage {
    pub(super) fn new(names: &[&'static str]) -> Self {
        let place = Place::new();
        let data = place.small_data(PAGES * SIZE as u64);
        let (engine, log) = (crate::support::engine(), Log::open(&data).unwrap());
        let honest = keyset(&engine);
        let scratch = Scratch::new(&engine, &honest, &log, &place.path("cache"), None);
        scratch.ensure_filled().unwrap();
        let hostile = names.iter().map(|name| (*name, hostile(&engine, name))).collect();
        let writer = Mutex::new(Writer::start(&data));
        Self { _place: place, data, engine, log, honest, scratch, hostile, writer }
    }

    pub(super) fn honest(&self) -> Worker {
        let scratch = Some(Arc::clone(&self.scratch));
        Worker::new(&self.engine, &self.honest, Instances::Fresh, &self.log, scratch)
    }

    pub(super) fn inactive(&self, name: &str) -> Worker {
        Worker::new(&self.engine, &self.hostile[name][0], Instances::Fresh, &self.log, None)
    }

    pub(super) fn active(&self, name: &str) -> Worker {
        Worker::new(&self.engine, &self.hostile[name][1], Instances::Fresh, &self.log, None)
    }

    /// Compares pages with the log as it was at their snapshots. How many there are.
    pub(super) fn check(&self, seen: &Seen) -> usize {
        let newest_first = Model::of(&self.data).newest_first();
        for page in &seen.pages {
            let visible = newest_first.iter().copied().filter(|id| *id <= page.high_water);
            let skipped = usize::try_from(page.number - 1).unwrap() * SIZE;
            let right = visible.skip(skipped).take(SIZE);
            assert!(
                right.eq(page.ids.iter().copied()),
                "page {} of the log up to {}",
                page.number,
                page.high_water
            );
        }
        seen.pages.len()
    }
}

fn hostile(engine: &Engine, name: &str) -> [Arc<Strategy>; 2] {
    let component = zoo::component(name).unwrap();
    [None, Some(1)].map(|at_once| {
        let grants = Grants { at_once, ..cases::find(name).unwrap().grants() };
        Strategy::load(engine, name, Path::new(name), &component, grants).unwrap()
    })
}

fn keyset(engine: &Engine) -> Arc<Strategy> {
    let shipped = Limits::default();
    let generous = Limits {
        guest_time: Duration::from_secs(2),
        log_lock: Duration::from_secs(2),
        wall_time: Duration::from_secs(20),
        busy_wait: Duration::from_secs(5),
        ..shipped.clone()
    };
    let limits = if seconds().is_some() { shipped } else { generous };
    let grants = Grants { columns: KEY_COLUMNS.to_vec(), limits, ..Grants::local() };
    Strategy::load(engine, "keyset", Path::new("keyset"), embedded::KEYSET, grants).unwrap()
}

/// Page `number` of the whole log.
pub(super) fn request(number: u64) -> PageRequest {
    parse::request(&whole_log(number, 50).to_string(), None).unwrap()
}

/// How long calm and storm are to last each, where it is said.
pub(super) fn seconds() -> Option<u64> {
    std::env::var("KEYHOLE_STORM_SECONDS").ok().and_then(|seconds| seconds.parse().ok())
}
