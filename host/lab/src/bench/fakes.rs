//! A clock that only pagers move, and pagers that take a set time: measurements become exact.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::clock::Clock;
use super::environment::{Conditions, LogFacts, Machine};
use super::plan::{Load, Mix, Plan};
use super::ratio::sweeps;
use super::report::{MixResult, Report, Settings, digests};
use super::run::run;
use super::target::{Kind, Target};
use keyhole_log::error::Error;
use keyhole_log::model::{Event, Filter, Page, PageRequest, Pager, Position};
use keyhole_log::units::whole_nanos;

/// Shared by a test and its pagers.
#[derive(Clone, Default)]
pub(super) struct FakeClock(Arc<AtomicU64>);

impl FakeClock {
    pub(super) fn advance(&self, nanos: u64) {
        self.0.fetch_add(nanos, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::SeqCst))
    }

    fn wait_until(&self, moment: Duration) {
        self.0.fetch_max(whole_nanos(moment), Ordering::SeqCst);
    }
}

/// A pager made of a closure.
struct FakePager<F>(F);

impl<F: FnMut(&PageRequest) -> Result<Page, Error> + Send> Pager for FakePager<F> {
    fn page(&mut self, request: &PageRequest) -> Result<Page, Error> {
        (self.0)(request)
    }
}

/// A target whose pagers take `cost` nanoseconds of the clock's for each page.
pub(super) fn target(name: &str, clock: &FakeClock, workers: usize, cost: u64) -> Target {
    let clock = clock.clone();
    custom(name, workers, move |request| {
        clock.advance(cost);
        Ok(honest(request))
    })
}

/// A target whose pagers do as the closure says.
pub(super) fn custom<F>(name: &str, workers: usize, page: F) -> Target
where
    F: FnMut(&PageRequest) -> Result<Page, Error> + Clone + Send + 'static,
{
    let crew = (0..workers).map(|_| Box::new(FakePager(page.clone())) as Box<dyn Pager>).collect();
    let digest = format!("digest of {name}");
    Target { strategy: name.into(), kind: kind(name), instances: "fresh".into(), digest, crews: vec![crew] }
}

/// The kind that the name says.
pub(super) fn kind(name: &str) -> Kind {
    match name {
        _ if name.starts_with("native") => Kind::Native,
        _ if name.starts_with("floor") => Kind::Floor,
        _ => Kind::Wasm,
    }
}

/// One event for an odd page number, none for an even one.
pub(super) fn honest(request: &PageRequest) -> Page {
    let number = number(request);
    let mut page = Page::empty(request.clone(), 100);
    if number % 2 == 1 {
        page.push(event(i64::try_from(number).unwrap_or_default()));
    }
    page
}

pub(super) fn event(id: i64) -> Event<'static> {
    let (action, resource_type, resource_id) = ("UPDATE", "doc", "1");
    Event { id, created_at: 0, actor_id: 1, action, resource_type, resource_id, payload: b"{}\n" }
}

pub(super) fn number(request: &PageRequest) -> u64 {
    match request.position {
        Position::Page(number) => number,
        Position::After(_) => 0,
    }
}

pub(super) fn request(page: u64) -> PageRequest {
    let filter = Filter { from_ts: 0, to_ts: 9, actor_id: None, action: None };
    PageRequest { filter, position: Position::Page(page), page_size: 10, up_to: None }
}

/// One mix named `dense` with pages 1, 2, 3…; 2 rounds, no warm-up.
pub(super) fn plan(requests: u64, concurrency: usize, workers: usize) -> Plan {
    let mix = Mix {
        name: "dense".into(),
        requests: (1..=requests).map(request).collect(),
        point: None,
        load: Load { concurrency, workers, rate: None },
        log: 0,
    };
    Plan { mixes: vec![mix], logs: 1, warmup: 0, rounds: 2 }
}

/// What the plan measures, on a machine that is none.
pub(super) fn report(plan: &Plan, targets: &mut [Target], clock: &FakeClock) -> Report {
    let runs = run(plan, targets, &|_, _| (), clock, &mut |_| Ok(())).unwrap_or_default();
    Report {
        mixes: runs.iter().map(MixResult::new).collect(),
        sweeps: sweeps(&runs),
        machine: Machine {
            cpu: "CPU".into(),
            arch: "x86_64".into(),
            cores: 2,
            memory_bytes: 1_024,
            kernel: "linux 6".into(),
        },
        conditions: Conditions {
            started: "2026-01-02T03:04:05Z".into(),
            load_before: Some(0.25),
            load_after: Some(1.5),
            page_cache: "as it was found".into(),
        },
        versions: BTreeMap::from([("keyhole".into(), "0.1.0".into())]),
        digests: digests(targets, Some("abc".into())),
        logs: vec![LogFacts {
            name: "data".into(),
            rows: 100,
            high_water: 100,
            database_bytes: 4_096,
            payload_bytes: 600,
        }],
        settings: Settings { rounds: plan.rounds, warmup: plan.warmup, seed: 1_337 },
    }
}
