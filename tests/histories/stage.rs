//! Where histories are played, one after another, and before whom.

use std::path::Path;
use std::sync::Arc;

use keyhole_log::grants::Instances;
use serde_json::json;

use super::change::{History, Kind};
use super::judge::{Failure, What};
use super::live::Live;
use super::play::Play;
use super::sides::{ByCommand, IfChanged, InProcess, Running, Served, Side};
use crate::support::Place;

/// Where histories are played, one after another: what is compiled is kept, all else is made anew.
pub(super) struct Stage {
    place: Arc<Place>,
    writer: Live,
    watcher: Live,
    logs: u64,
    /// How long the writer waits for a lock before it fails, in seconds: CPython's default.
    pub(super) timeout: f64,
}

impl Stage {
    pub(super) fn new() -> Self {
        let (place, writer, watcher) = (Arc::new(Place::new()), Live::start(), Live::start());
        Self { place, writer, watcher, logs: 0, timeout: 5.0 }
    }

    pub(super) fn kinds(&mut self) -> Vec<Kind> {
        self.writer.kinds()
    }

    /// Plays a history before these sides, which are made for a log's folder. The first failure ends it.
    pub(super) fn play(
        &mut self,
        history: &History,
        sides: impl FnOnce(&Arc<Place>, &Path) -> Vec<Box<dyn Side>>,
    ) -> Result<(), Failure> {
        self.logs += 1;
        let data = self.place.path(&format!("log-{}", self.logs));
        let made = json!({"do": "make", "folder": data, "rows": history.rows, "mode": history.mode, "timeout": self.timeout});
        self.writer.order(&made).unwrap();
        let sides = sides(&self.place, &data);
        let mut play = Play::new(history, sides, data, &self.place, &mut self.writer, &mut self.watcher);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play.all(history)));
        let outcome = caught.unwrap_or_else(|panic| {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(play.failure(What::Ended, "a panic", words.unwrap_or_default()))
        });
        drop(play);
        if matches!(&outcome, Err(Failure { what: What::Ended, .. })) {
            // Nobody knows what they stand in the middle of.
            (self.writer, self.watcher) = (Live::start(), Live::start());
        } else {
            self.writer.order(&json!({"do": "finish"})).unwrap();
        }
        self.clear();
        outcome
    }

    /// Forgets what was kept of the last log, but for compiled code and the key that vouches for it.
    fn clear(&self) {
        for cache in ["cache", "cache-workers", "cache-commands"] {
            let _ = std::fs::remove_dir_all(self.place.path(cache).join("scratch"));
        }
        for file in std::fs::read_dir(self.place.path("state")).into_iter().flatten().flatten() {
            if !file.file_name().to_string_lossy().ends_with(".key") {
                let _ = std::fs::remove_file(file.path());
            }
        }
    }
}

/// Everybody who answers.
pub(super) fn everybody(by_command: bool) -> impl FnOnce(&Arc<Place>, &Path) -> Vec<Box<dyn Side>> {
    move |place, data| {
        let cache = place.path("cache-workers");
        let worker =
            |name, instances| -> Box<dyn Side> { Box::new(InProcess::of(name, instances, data, &cache)) };
        let running = Running::new(place, data);
        let mut sides = vec![
            worker("native-baseline", Instances::Fresh),
            worker("baseline", Instances::Fresh),
            worker("native-keyset", Instances::Fresh),
            worker("keyset", Instances::Fresh),
            worker("keyset", Instances::Warm(100)),
            Box::new(IfChanged::new(&running)),
            Box::new(Served(running)),
        ];
        if by_command {
            let cache = place.path("cache-commands");
            sides.push(Box::new(ByCommand { place: Arc::clone(place), data: data.to_owned(), cache }));
        }
        sides
    }
}
