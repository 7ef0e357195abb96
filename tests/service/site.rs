//! A service on a small log of its own, under a policy that a test writes stanza by stanza.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keyhole_log::Log;
use keyhole_log::error::Error;
use keyhole_log::grants::Instances;
use keyhole_log::grants::{FUNCTIONS, KEY_COLUMNS, SHOWN_COLUMNS};
use keyhole_log::limits::Ceilings;
use keyhole_log::model::{Filter, Page, PageRequest, Position};
use keyhole_runtime::engine::Engine;
use keyhole_runtime::loader::Loader;
use keyhole_runtime::policy::Policy;
use keyhole_service::orders::{Done, Order};
use keyhole_service::status::{Stage, Staged, Swap};
use keyhole_service::{Answered, Config, Lane, Service};
use serde_json::Value;

use crate::support::{Place, binary};

/// A second on which the one window of `lies-to-one-window` and `traps-in-one-window` begins.
pub(super) const THE_ONE: i64 = 77_777;

/// How long the machine may take for what takes it a second alone.
const PATIENCE: Duration = Duration::from_mins(4);

pub(super) struct Site {
    pub(super) place: Place,
    pub(super) data: PathBuf,
    /// What `[serve]` says besides.
    pub(super) serve: String,
    stanzas: Vec<(String, String)>,
    pub(super) workers: usize,
    pub(super) queue: usize,
    pub(super) lane: Lane,
    /// `guest_time` of stanzas that are let in from now on.
    pub(super) guest_time: &'static str,
    /// Lines of `[limits]` besides.
    pub(super) limits: &'static str,
}

impl Site {
    pub(super) fn new(rows: u64) -> Self {
        let place = Place::new();
        let data = place.small_data(rows);
        Self {
            place,
            data,
            serve: "reference_share = 0.0".to_owned(),
            stanzas: Vec::new(),
            workers: 2,
            queue: 64,
            lane: Lane::Normal,
            guest_time: "5s",
            limits: "",
        }
    }

    /// Puts a hostile strategy's component into a file, with a stanza of its name.
    pub(super) fn let_in(&mut self, name: &str) -> PathBuf {
        let bytes = keyhole_lab::selftest::zoo::component(name).unwrap();
        self.let_in_as(name, &bytes, &SHOWN_COLUMNS)
    }

    /// The keyset strategy under another name.
    pub(super) fn let_in_keyset(&mut self, name: &str) -> PathBuf {
        self.let_in_as(name, keyhole_runtime::embedded::KEYSET, &KEY_COLUMNS)
    }

    pub(super) fn let_in_as(&mut self, name: &str, bytes: &[u8], columns: &[&str]) -> PathBuf {
        let path = self.place.path(&format!("{name}.wasm"));
        std::fs::write(&path, bytes).unwrap();
        let stanza = format!(
            "[strategy.{name}]\nfile = \"{name}.wasm\"\ndigest = \"sha256:{}\"\n\
             interfaces = [\"log\", \"payloads\", \"diagnostics\", \"scratch\"]\ncolumns = {columns:?}\n\
             functions = {FUNCTIONS:?}\nlimits = {{ guest_time = \"{}\" }}\n",
            keyhole_log::hash::sha256(bytes),
            self.guest_time
        );
        self.stanzas.retain(|(known, _)| known != name);
        self.stanzas.push((name.to_owned(), stanza));
        path
    }

    /// Takes a stanza out of the policy.
    pub(super) fn revoke(&mut self, name: &str) {
        self.stanzas.retain(|(known, _)| known != name);
    }

    pub(super) fn policy(&self) -> Policy {
        let path = self.place.path("keyhole.toml");
        let stanzas: String = self.stanzas.iter().map(|(_, stanza)| stanza.as_str()).collect();
        // A machine that is busy with other tests overruns what ships.
        let text = format!(
            "version = 1\n[limits]\nguest_time = \"5s\"\nlog_lock = \"5s\"\nwall_time = \"20s\"\nbusy_wait = \"5s\"\n{}\
             [serve]\n{}\n{stanzas}",
            self.limits, self.serve
        );
        std::fs::write(&path, text).unwrap();
        Policy::read(&path, std::iter::empty()).unwrap()
    }

    pub(super) fn open(&self) -> Service {
        self.try_open().unwrap()
    }

    pub(super) fn try_open(&self) -> Result<Service, Error> {
        let policy = self.policy();
        let engine = Engine::with_loader(&Ceilings::default(), Loader::new(binary())).unwrap();
        let config = Config {
            policy,
            engine,
            log: Log::open(&self.data).unwrap(),
            state: self.state(),
            cache: self.place.path("cache"),
            instances: Instances::Fresh,
            workers: Some(self.workers),
            queue: Some(self.queue),
        };
        Service::open_at(config, self.lane)
    }

    pub(super) fn state(&self) -> PathBuf {
        self.place.path("state")
    }

    /// The reasons in the decision log, in order.
    pub(super) fn decisions(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.state().join("decisions.jsonl")).unwrap_or_default();
        let reason = |line: &str| {
            let record: Value = serde_json::from_str(line).unwrap();
            let of = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
            format!("{} {}: {}", of("event"), of("strategy"), of("reason"))
        };
        text.lines().map(reason).collect()
    }

    /// Whether a decision holds all of these words.
    pub(super) fn decided(&self, words: &[&str]) -> bool {
        self.decisions().iter().any(|line| words.iter().all(|word| line.contains(word)))
    }
}

/// A window of the whole log that begins on this second.
pub(super) fn from(from_ts: i64, page: u64, page_size: u32) -> PageRequest {
    let filter = Filter { from_ts, to_ts: i64::MAX, actor_id: None, action: None };
    PageRequest { filter, position: Position::Page(page), page_size, up_to: None }
}

pub(super) fn ask(service: &Service, request: &PageRequest) -> Answered {
    service.submit(request.clone()).unwrap().wait()
}

pub(super) fn ids(page: &Page) -> Vec<i64> {
    page.events().map(|event| event.id).collect()
}

pub(super) fn active(service: &Service) -> String {
    service.active().map_or_else(String::new, |(name, _)| name.to_string())
}

/// Waits until it is so.
pub(super) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}

pub(super) fn stage(service: &Service, path: &Path, name: &str) -> Result<Staged, Error> {
    let strategy = path.to_str().unwrap().to_owned();
    let order = Order::Stage { strategy, name: Some(name.to_owned()), by: Some("ada".to_owned()) };
    service.carry_out(order).map(|done| match done {
        Done::Staged(staged) => *staged,
        other => panic!("{other:?}"),
    })
}

/// The candidate as it is now.
pub(super) fn staged(service: &Service, name: &str) -> Option<Staged> {
    service.state().staged.into_iter().find(|staged| staged.name == name)
}

/// Stages it and waits for its proof, or its failure.
pub(super) fn prove(service: &Service, path: &Path, name: &str) -> Staged {
    let revision = stage(service, path, name).unwrap().revision;
    let mut last = None;
    until("a proof", || {
        last = staged(service, name).filter(|staged| staged.revision == revision);
        last.as_ref().is_none_or(|staged| matches!(staged.stage, Stage::Proven | Stage::Failed))
    });
    last.expect("it is still staged")
}

pub(super) fn shadow(service: &Service, name: &str, requests: u64) -> Result<(), Error> {
    service.carry_out(Order::Shadow { name: name.to_owned(), share: 1.0, requests, by: None }).map(|_| ())
}

pub(super) fn promote(service: &Service, name: &str) -> Result<Swap, Error> {
    match service.carry_out(Order::Promote { name: name.to_owned(), revision: None, by: None })? {
        Done::Swapped(swap) => Ok(swap),
        other => panic!("{other:?}"),
    }
}

pub(super) fn rollback(service: &Service) -> Result<Swap, Error> {
    match service.carry_out(Order::Rollback { by: None })? {
        Done::Swapped(swap) => Ok(swap),
        other => panic!("{other:?}"),
    }
}

/// The whole way: proven, then in shadow of ordinary requests until it is ready, then active.
pub(super) fn bring_in(service: &Service, path: &Path, name: &str) -> Swap {
    let proven = prove(service, path, name);
    assert_eq!(proven.stage, Stage::Proven, "{proven:?}");
    make_ready(service, name);
    promote(service, name).unwrap()
}

/// A shadow of requests that nobody lies to.
pub(super) fn make_ready(service: &Service, name: &str) {
    shadow(service, name, 20).unwrap();
    let mut page = 0;
    until("a shadow", || {
        page += 1;
        ask(service, &from(i64::MIN, page % 7 + 1, 10)).page.unwrap();
        staged(service, name).is_some_and(|staged| staged.stage != Stage::Shadow)
    });
    let ready = staged(service, name).unwrap();
    assert_eq!(ready.stage, Stage::Ready, "{ready:?}");
}

pub(super) fn shut(service: &Service) {
    service.shutdown(Duration::from_secs(20));
}
