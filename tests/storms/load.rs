//! Who asks in a storm: honest workers, the log's writer, and the attackers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::thread::Scope;
use std::time::{Duration, Instant};

use keyhole_lab::selftest::cases;
use keyhole_log::error::Error;
use keyhole_log::model::{Page, PageRequest, Pager};
use keyhole_runtime::page::Worker;
use keyhole_runtime::strategy::lane;

use super::ROUNDS;
use super::stage::{self, PAGES, Stage};
use crate::support::SetOnDrop;

/// Honest workers, one a core of the smallest machine that this is meant for.
const HONEST: u64 = 2;

/// Hostile strategies at once.
pub(super) const HOSTILE: usize = 8;

/// The writer's pause between two commits, as elsewhere: ten commits a second.
const PAUSE_MS: u64 = 100;

/// A worker that serves the active hostile strategy as well does so for one request in so many.
const HOSTILE_SHARE: u64 = 50;

/// A page as it was served: which, of the log up to which event, and what came.
pub(super) struct Served {
    pub(super) number: u64,
    pub(super) high_water: i64,
    pub(super) ids: Vec<i64>,
}

/// What came of a while: of honest requests, of attacks, of the writer's commits.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) pages: Vec<Served>,
    pub(super) errors: Vec<String>,
    pub(super) times: Vec<Duration>,
    pub(super) waits: Vec<f64>,
    pub(super) outcomes: BTreeMap<String, u64>,
}

impl Seen {
    pub(super) fn served(&mut self, number: u64, page: &Page) {
        let ids = page.events().map(|event| event.id).collect();
        self.pages.push(Served { number, high_water: page.high_water, ids });
    }

    pub(super) fn join(&mut self, other: Self) {
        self.pages.extend(other.pages);
        self.errors.extend(other.errors);
        self.times.extend(other.times);
        self.waits.extend(other.waits);
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
    }

    pub(super) fn p99(&self) -> Duration {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() * 99 / 100).copied().unwrap_or_default()
    }

    pub(super) fn longest_wait(&self) -> Duration {
        Duration::from_secs_f64(self.waits.iter().copied().fold(0.0, f64::max) / 1e3)
    }

    /// One request of the active hostile strategy, or of an attacker.
    fn attacked(&mut self, worker: &mut Worker, request: &PageRequest) {
        let outcome = worker.page(request).map_or_else(|error| outcome(&error), |_| "a page".to_owned());
        *self.outcomes.entry(outcome).or_default() += 1;
    }
}

/// By what an attack ended. A fault of the engine would be the host's own.
fn outcome(error: &Error) -> String {
    if error.code() == "engine" { "engine".to_owned() } else { error.observed() }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pages, commits) = (self.times.len(), self.waits.len());
        write!(
            f,
            "honest P99 {:.2?} of {pages} pages; longest wait {:.1?} of {commits} commits; attacks {:?}",
            self.p99(),
            self.longest_wait(),
            self.outcomes
        )
    }
}

/// Honest workers in closed loops, for as long as the writer carries out its order. Where a strategy is
/// named, it is active: the same workers serve it, within its share.
pub(super) fn round(stage: &Stage, active: Option<&str>) -> Seen {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..HONEST)
            .map(|slot| {
                let over = &over;
                scope.spawn(move || serve(stage, active, slot, over))
            })
            .collect();
        let commits = match stage::seconds() {
            Some(seconds) => seconds * 1_000 / PAUSE_MS / ROUNDS,
            None => 4,
        };
        let mut seen = Seen::default();
        {
            let _over = SetOnDrop(&over);
            let mut writer = stage.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let commits = writer.carry_out(&format!("append {} 5 {PAUSE_MS}", commits.max(1) * 5));
            seen.waits.extend(commits.into_iter().map(|commit| commit.wait_ms));
        }
        for worker in workers {
            seen.join(worker.join().unwrap());
        }
        seen
    })
}

fn serve(stage: &Stage, active: Option<&str>, slot: u64, over: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut honest = stage.honest();
    let mut hostile = active.map(|name| (stage.active(name), cases::find(name).unwrap().request()));
    // The first opens its connection.
    honest.page(&stage::request(1)).unwrap();
    for n in 0.. {
        if over.load(SeqCst) {
            break;
        }
        if n % HOSTILE_SHARE == 0
            && let Some((worker, request)) = &mut hostile
        {
            seen.attacked(worker, request);
        }
        let number = (n * 37 + slot * 11) % PAGES + 1;
        let request = stage::request(number);
        let asked = Instant::now();
        match honest.page(&request) {
            Ok(page) => {
                seen.times.push(asked.elapsed());
                seen.served(number, &page);
            }
            Err(error) => seen.errors.push(error.to_string()),
        }
    }
    seen
}

/// Eight workers of hostile strategies that do not serve.
pub(super) struct Attackers {
    workers: Mutex<Vec<(Worker, PageRequest)>>,
    storm: AtomicBool,
    over: AtomicBool,
    /// How many have a request under way.
    busy: AtomicUsize,
    seen: Mutex<Seen>,
}

impl Attackers {
    pub(super) fn new(stage: &Stage, names: &[&'static str]) -> Self {
        let names = names.iter().cycle().take(HOSTILE);
        let workers = names.map(|name| (stage.inactive(name), cases::find(name).unwrap().request()));
        Self {
            workers: Mutex::new(workers.collect()),
            storm: AtomicBool::new(false),
            over: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            seen: Mutex::default(),
        }
    }

    /// Starts their threads. They end when what is returned is dropped.
    pub(super) fn start<'scope, 'env>(&'env self, scope: &'scope Scope<'scope, 'env>) -> Running<'env> {
        for (worker, request) in self.workers.lock().unwrap().drain(..) {
            scope.spawn(move || self.attack(worker, &request));
        }
        Running(self)
    }

    fn attack(&self, mut worker: Worker, request: &PageRequest) {
        lane::idle().unwrap();
        let mut seen = Seen::default();
        while !self.over.load(SeqCst) {
            self.busy.fetch_add(1, SeqCst);
            if self.storm.load(SeqCst) {
                seen.attacked(&mut worker, request);
                self.busy.fetch_sub(1, SeqCst);
            } else {
                self.busy.fetch_sub(1, SeqCst);
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        self.seen.lock().unwrap().join(seen);
    }

    /// What came of all attacks, once the threads have ended.
    pub(super) fn outcomes(self) -> BTreeMap<String, u64> {
        self.seen.into_inner().unwrap().outcomes
    }
}

/// The attackers at work.
pub(super) struct Running<'a>(&'a Attackers);

impl Running<'_> {
    pub(super) fn begin(&self) {
        self.0.storm.store(true, SeqCst);
    }

    /// No attack is under way any more when this returns.
    pub(super) fn pause(&self) {
        self.0.storm.store(false, SeqCst);
        while self.0.busy.load(SeqCst) > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, SeqCst);
    }
}
