//! What a page holds, by the live system's own query over the writer's own connection.

use std::collections::{BTreeMap, BTreeSet};

use keyhole_log::dataset::Random;
use keyhole_log::model::{Filter, Key, PageRequest, Position};
use serde_json::{Value, json};

use super::live::Live;

/// An event as the live system has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) id: i64,
    pub(super) created_at: i64,
    pub(super) actor_id: i64,
    pub(super) action: String,
    pub(super) resource_type: String,
    pub(super) resource_id: String,
    span: (i64, i64),
    /// Its payload's line without the newline; None where the span is not one whole line of JSON.
    pub(super) payload: Option<String>,
    /// Whether it shares a byte of its payload with another event.
    shared: bool,
}

impl Event {
    fn read(value: &Value) -> Self {
        let number = |name: &str| value[name].as_i64().unwrap();
        let text = |name: &str| value[name].as_str().unwrap().to_owned();
        Self {
            id: number("id"),
            created_at: number("created_at"),
            actor_id: number("actor_id"),
            action: text("action"),
            resource_type: text("resource_type"),
            resource_id: text("resource_id"),
            span: (value["span"][0].as_i64().unwrap(), value["span"][1].as_i64().unwrap()),
            payload: value["line"].as_str().map(|line| line.trim().to_owned()),
            shared: value["shared"].as_bool().unwrap(),
        }
    }

    /// What an index may hold of it.
    fn indexed(&self) -> (i64, i64, i64, &str) {
        (self.id, self.created_at, self.actor_id, &self.action)
    }
}

/// A log at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Oracle {
    /// All events, in the order of a page.
    events: Vec<Event>,
    /// Those whose line is not what it once was, with nobody having said so.
    other_lines: BTreeSet<i64>,
}

impl Oracle {
    /// Asks the live system for all events.
    pub(super) fn ask(live: &mut Live) -> Result<Self, String> {
        let reply = live.order(&json!({"do": "ask"}))?;
        let events = reply["events"].as_array().unwrap().iter().map(Event::read).collect();
        Ok(Self { events, other_lines: BTreeSet::new() })
    }

    /// Asserts that the live system's query has the same answers.
    pub(super) fn assert_live(&self, live: &mut Live, requests: &[PageRequest]) -> Result<(), String> {
        let numbered = requests.iter().filter_map(|request| match request.position {
            Position::Page(page) => Some((request, page)),
            Position::After(_) => None,
        });
        let (asked, queries): (Vec<&PageRequest>, Vec<Value>) = numbered
            .map(|(request, page)| {
                let Filter { from_ts, to_ts, actor_id, action } = &request.filter;
                let query = json!({"from_ts": from_ts, "to_ts": to_ts, "actor_id": actor_id, "action": action,
                    "page": page, "page_size": request.page_size});
                (request, query)
            })
            .unzip();
        let reply = live.order(&json!({"do": "pages", "queries": queries}))?;
        for (request, page) in asked.into_iter().zip(reply["pages"].as_array().unwrap()) {
            let ids: Vec<i64> = self.page(request).iter().map(|event| event.id).collect();
            assert_eq!(json!(ids), *page, "the oracle differs from the live system: {request:?}");
        }
        Ok(())
    }

    /// Takes note of lines that have changed under a span that has not.
    pub(super) fn follows(&mut self, before: &Self) {
        let was: BTreeMap<i64, &Event> = before.events.iter().map(|event| (event.id, event)).collect();
        let differs = |event: &&Event| {
            was.get(&event.id).is_some_and(|was| was.span == event.span && was.payload != event.payload)
        };
        self.other_lines = self.events.iter().filter(differs).map(|event| event.id).collect();
        self.other_lines.extend(&before.other_lines);
    }

    /// The events that answer a request.
    pub(super) fn page(&self, request: &PageRequest) -> Vec<&Event> {
        let PageRequest { filter, position, page_size, up_to } = request;
        let (skipped, after) = match *position {
            Position::Page(page) => (usize::try_from(page - 1).unwrap() * *page_size as usize, None),
            Position::After(key) => (0, Some((key.created_at, key.id))),
        };
        self.events
            .iter()
            .filter(|event| (filter.from_ts..=filter.to_ts).contains(&event.created_at))
            .filter(|event| filter.actor_id.is_none_or(|actor| actor == event.actor_id))
            .filter(|event| filter.action.as_ref().is_none_or(|action| *action == event.action))
            .filter(|event| up_to.is_none_or(|most| event.id <= most))
            .filter(|event| after.is_none_or(|after| (event.created_at, event.id) < after))
            .skip(skipped)
            .take(*page_size as usize)
            .collect()
    }

    /// Whether a page with this event may be refused, though it can be shown.
    pub(super) fn is_doubtful(&self, event: &Event) -> bool {
        event.shared || self.other_lines.contains(&event.id)
    }

    /// Whether there is no event.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The largest id; 0 where there is no event.
    pub(super) fn largest(&self) -> i64 {
        self.events.iter().map(|event| event.id).max().unwrap_or(0)
    }

    /// The event with the smallest id, by which cursors know a log.
    fn first(&self) -> Option<&Event> {
        self.events.iter().min_by_key(|event| event.id)
    }

    /// Whether cursors of `before` are of another log.
    pub(super) fn is_named_otherwise(&self, before: &Self) -> bool {
        let name = |event: &Event| Event { payload: None, shared: false, ..event.clone() };
        self.first().map(name) != before.first().map(name)
    }

    /// Whether an event that was there is another one now, or is gone, or a new one has an id that was passed over; as
    /// an index sees it, or as a page does.
    pub(super) fn rewrites(&self, before: &Self, as_indexed: bool) -> bool {
        let end = before.largest();
        let mut below = self.events.iter().filter(|event| event.id <= end);
        let mut was = before.events.iter();
        loop {
            return match (below.next(), was.next()) {
                (None, None) => false,
                (Some(is), Some(was)) if is == was || as_indexed && is.indexed() == was.indexed() => continue,
                _ => true,
            };
        }
    }

    /// Whether such a rewrite looks like an append: new ids at the end, and as many events below them as before.
    pub(super) fn hides_a_rewrite(&self, before: &Self) -> bool {
        let end = before.largest();
        let below = self.events.iter().filter(|event| event.id <= end).count();
        self.largest() > end && below == before.events.len() && self.rewrites(before, true)
    }

    /// Requests that the changes since `before` touch, and some that they may touch.
    pub(super) fn requests(&self, before: &Self, random: &mut Random) -> Vec<PageRequest> {
        let count = self.events.len() as u64;
        let mut requests = vec![whole(1, 20)];
        let size = u32::try_from(random.randint(5, 50)).unwrap();
        let pages = count / u64::from(size) + 1;
        requests.extend([whole(pages, size), whole(random.below(pages) + 1, size), whole(2, size)]);
        let held: BTreeMap<i64, &Event> = before.events.iter().map(|event| (event.id, event)).collect();
        let holds: BTreeMap<i64, &Event> = self.events.iter().map(|event| (event.id, event)).collect();
        let ids: BTreeSet<&i64> = held.keys().chain(holds.keys()).collect();
        let changed: Vec<_> =
            ids.into_iter().map(|id| (held.get(id), holds.get(id))).filter(|(was, is)| was != is).collect();
        for _ in 0..2.min(changed.len()) {
            let (was, is) = random.choice(&changed);
            for event in [was, is].into_iter().flatten() {
                let near = Filter {
                    from_ts: event.created_at - random.randint(0, 40),
                    to_ts: event.created_at + random.randint(0, 40),
                    actor_id: None,
                    action: None,
                };
                requests.push(match random.below(4) {
                    0 => of(Filter { actor_id: Some(event.actor_id), ..everything() }, 1, 30),
                    1 => of(Filter { action: Some(event.action.clone()), ..everything() }, 1, 30),
                    2 => of(Filter { actor_id: Some(event.actor_id), ..near }, 1, 10),
                    _ => of(near, 1, 20),
                });
                let place = self.events.iter().position(|one| one.created_at <= event.created_at);
                requests.push(whole(place.unwrap_or(0) as u64 / 10 + 1, 10));
            }
        }
        requests
    }
}

fn everything() -> Filter {
    Filter { from_ts: i64::MIN, to_ts: i64::MAX, actor_id: None, action: None }
}

fn of(filter: Filter, page: u64, page_size: u32) -> PageRequest {
    PageRequest { filter, position: Position::Page(page), page_size, up_to: None }
}

/// A page of the whole log.
pub(super) fn whole(page: u64, page_size: u32) -> PageRequest {
    of(everything(), page, page_size)
}

/// The page after one, as a cursor asks for it.
pub(super) fn after(request: &PageRequest, last: (i64, i64), up_to: i64) -> PageRequest {
    let key = Key { created_at: last.0, id: last.1 };
    PageRequest { position: Position::After(key), up_to: request.up_to.or(Some(up_to)), ..request.clone() }
}
