//! A clock that only pagers move, and pagers that take a set time: measurements become exact.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::clock::Clock;
use super::conditions::{Conditions, LogFacts};
use super::load::Load;
use super::machine::Machine;
use super::plan::{Contender, Kind, Mix, Plan};
use super::result::Context;
use super::tally::nanos;
use crate::error::Error;
use crate::page::{Event, Filter, Page, PageRequest, Pager, Position};

/// Shared by a test and its pagers.
#[derive(Clone, Default)]
pub(super) struct FakeClock(Arc<AtomicU64>);

impl FakeClock {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn advance(&self, nanos: u64) {
        self.0.fetch_add(nanos, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::SeqCst))
    }

    fn wait_until(&self, moment: Duration) {
        self.0.fetch_max(nanos(moment), Ordering::SeqCst);
    }
}

/// A pager made of a closure.
pub(super) struct FakePager<F>(pub(super) F);

impl<F: FnMut(&PageRequest) -> Result<Page, Error> + Send> Pager for FakePager<F> {
    fn page(&mut self, request: &PageRequest) -> Result<Page, Error> {
        (self.0)(request)
    }
}

/// A contender whose pagers take `cost` nanoseconds of the clock's for each page.
pub(super) fn contender(name: &str, clock: &FakeClock, workers: usize, cost: u64) -> Contender {
    let clock = clock.clone();
    custom(name, workers, move |request| {
        clock.advance(cost);
        Ok(honest(request))
    })
}

/// A contender whose pagers do as the closure says.
pub(super) fn custom<F>(name: &str, workers: usize, page: F) -> Contender
where
    F: FnMut(&PageRequest) -> Result<Page, Error> + Clone + Send + 'static,
{
    let kind = if name.starts_with("native") { Kind::Native } else { Kind::Wasm };
    let kind = if name.starts_with("floor") { Kind::Floor } else { kind };
    let crew = (0..workers).map(|_| Box::new(FakePager(page.clone())) as Box<dyn Pager>).collect();
    let digest = format!("digest of {name}");
    Contender { strategy: name.into(), kind, instances: "fresh".into(), digest, crews: vec![crew] }
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
    Event {
        id,
        created_at: 0,
        actor_id: 1,
        action: "UPDATE",
        resource_type: "doc",
        resource_id: "1",
        payload: b"{}\n",
    }
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

/// A machine that is none.
pub(super) fn context() -> Context {
    Context {
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
        program: Some("abc".into()),
        logs: vec![LogFacts {
            name: "data".into(),
            rows: 100,
            high_water: 100,
            database_bytes: 4_096,
            payload_bytes: 600,
        }],
        seed: 1_337,
    }
}
