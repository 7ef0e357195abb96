//! A clock that only pagers move, and pagers that take a set time: measurements become exact.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::clock::Clock;
use super::plan::{Contender, Kind, Mix, Plan};
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
    let pagers = (0..workers).map(|_| Box::new(FakePager(page.clone())) as Box<dyn Pager>).collect();
    Contender { strategy: name.into(), kind, instances: "fresh".into(), pagers }
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
    let mix = Mix { name: "dense".into(), requests: (1..=requests).map(request).collect() };
    Plan { mixes: vec![mix], warmup: 0, rounds: 2, concurrency, workers }
}
