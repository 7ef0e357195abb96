//! The checks of a page against a model of the log: each kind of lie that a page betrays, in a thousand
//! forms, is refused; an honest page never is.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use keyhole_log::Log;
use keyhole_log::dataset::random::Random;
use keyhole_log::error::{Error, Lie};
use keyhole_log::grants::Grants;
use keyhole_log::model::{Filter, Key, PageRequest, Position};
use keyhole_log::session::Session;
use keyhole_runtime::page::check;

use crate::support::Place;
use crate::support::foreign::log_with_ties;
use crate::support::writer::{self, Event};

/// Lies of each kind.
const LIES: usize = 1000;

/// Rows between which an event that is left out must be seen.
const PROVED: usize = 400;

/// The log, in order, as the host must see it.
struct Model {
    folder: PathBuf,
    session: Session,
    events: Vec<Event>,
    random: Random,
    _place: Place,
}

struct Asked {
    request: PageRequest,
    /// Places of all matching events from the request's position on.
    rest: Vec<usize>,
}

impl Asked {
    fn size(&self) -> usize {
        self.request.page_size as usize
    }

    fn honest(&self) -> &[usize] {
        &self.rest[..self.rest.len().min(self.size())]
    }
}

impl Model {
    /// 2,000 events of few actors that share their seconds.
    fn new() -> Self {
        let place = Place::new();
        let folder = log_with_ties(&place);
        let events = writer::Model::of(&folder).events;
        let log = Log::open(&folder).unwrap();
        let mut grants = Grants::local();
        grants.limits.log_lock = Duration::from_hours(1);
        grants.limits.wall_time = Duration::from_hours(1);
        grants.limits.sql_steps = u64::MAX;
        let mut session = Session::for_pages(&log, None, &grants).unwrap();
        session.begin().unwrap();
        Self { folder, session, events, random: Random::new(7), _place: place }
    }

    /// The last event's id.
    fn last_id(&self) -> i64 {
        i64::try_from(self.events.len()).unwrap()
    }

    fn key(&self, place: usize) -> Key {
        let Event { created_at, id, .. } = self.events[place];
        Key { created_at, id }
    }

    /// Places of all events that a filter lets through, in order.
    fn matching(&self, filter: &Filter, up_to: Option<i64>) -> Vec<usize> {
        (0..self.events.len()).filter(|&place| self.matches(place, filter, up_to)).collect()
    }

    /// Gives every fiftieth event another action, as no log is written. `beside_an_append` of an event that no request of
    /// the model's asks for, it looks like an append.
    fn rewrite(&mut self, beside_an_append: bool) {
        self.session.finish();
        let writer = rusqlite::Connection::open(self.folder.join("audit.db")).unwrap();
        if beside_an_append {
            let append = "INSERT INTO audit_events SELECT NULL, created_at, actor_id, action, resource_type, resource_id,
                payload_offset, payload_len FROM audit_events WHERE id = 1";
            assert_eq!(writer.execute(append, []).unwrap(), 1);
        }
        for event in self.events.iter_mut().filter(|event| event.id % 50 == 0) {
            let other = if event.action == "LOGIN" { "EXPORT" } else { "LOGIN" };
            other.clone_into(&mut event.action);
            let changed = writer
                .execute("UPDATE audit_events SET action = ?1 WHERE id = ?2", (&event.action, event.id))
                .unwrap();
            assert_eq!(changed, 1);
        }
        drop(writer);
        self.session.begin().unwrap();
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.random.below(count as u64)).unwrap()
    }

    fn any(&mut self) -> usize {
        self.below(self.events.len())
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn asked(&mut self) -> Asked {
        let (one, other) = (self.any(), self.any());
        let (newer, older) = (one.min(other), one.max(other));
        let all = self.one_in(2);
        let window = |bound: i64, place: usize| if all { bound } else { self.events[place].created_at };
        let (from_ts, to_ts) = (window(i64::MIN, older), window(i64::MAX, newer));
        let example = self.any();
        let actor_id = self.one_in(3).then(|| self.events[example].actor_id);
        let action = self.one_in(3).then(|| self.events[example].action.clone());
        let up_to = if self.one_in(4) { Some(self.random.randint(1, self.last_id())) } else { None };
        let filter = Filter { from_ts, to_ts, actor_id, action };
        let matching = self.matching(&filter, up_to);
        let page_size = 1 + self.below(50);
        let (position, skipped) = if self.one_in(2) {
            let page = self.below(matching.len() / page_size + 2);
            (Position::Page(page as u64 + 1), page * page_size)
        } else {
            let after = self.any();
            let after = self.key(after);
            (Position::After(after), matching.partition_point(|&place| self.key(place) >= after))
        };
        let rest = matching.into_iter().skip(skipped).collect();
        let page_size = u32::try_from(page_size).unwrap();
        Asked { request: PageRequest { filter, position, page_size, up_to }, rest }
    }

    fn matches(&self, place: usize, filter: &Filter, up_to: Option<i64>) -> bool {
        let event = &self.events[place];
        (filter.from_ts..=filter.to_ts).contains(&event.created_at)
            && filter.actor_id.is_none_or(|wanted| wanted == event.actor_id)
            && filter.action.as_ref().is_none_or(|wanted| *wanted == event.action)
            && up_to.is_none_or(|bound| event.id <= bound)
    }

    fn ids(&self, places: &[usize]) -> Vec<i64> {
        places.iter().map(|&place| self.events[place].id).collect()
    }

    /// The lie that the host sees in an answer.
    fn seen(&self, request: &PageRequest, claims: &[i64]) -> Option<Lie> {
        match check::read(self.session.snapshot(), request, claims) {
            Ok(page) => {
                assert_eq!(page.events().map(|event| event.id).collect::<Vec<_>>(), claims);
                None
            }
            Err(Error::Lied { kind, .. }) => Some(kind),
            Err(error) => panic!("{error} for {request:?}"),
        }
    }

    /// A lie of this kind about a page, or none if the page has no place for it.
    fn told(&mut self, lie: Lie, asked: &Asked) -> Option<Vec<i64>> {
        let honest = asked.honest();
        let mut ids = self.ids(honest);
        let at = if ids.is_empty() { 0 } else { self.below(ids.len()) };
        let neighbours = |same: bool| {
            let second = |place: usize| self.events[place].created_at;
            let pairs = honest.windows(2).enumerate();
            pairs
                .filter(|(_, pair)| (second(pair[0]) == second(pair[1])) == same)
                .map(|(at, _)| at)
                .min_by_key(|pair| pair.abs_diff(at))
        };
        let Filter { from_ts, to_ts, actor_id, action } = &asked.request.filter;
        // An event that differs from what was asked in one way only, in the place that order gives it.
        let instead = |wrong: &dyn Fn(&Event) -> bool, but: Filter| -> Option<Vec<i64>> {
            let (&first, &last) = (honest.first()?, honest.last()?);
            let odd = (first..=last).chain(0..self.events.len()).find(|&place| {
                self.matches(place, &but, asked.request.up_to) && wrong(&self.events[place])
            })?;
            let mut places = honest.to_vec();
            if places.len() == asked.size() {
                places.remove(at);
            }
            places.insert(places.partition_point(|&place| place < odd), odd);
            Some(self.ids(&places))
        };
        let filter = asked.request.filter.clone();
        match lie {
            Lie::InventedId => {
                let invented = [0, -1, self.last_id() + 1, i64::MAX, i64::MIN, 1 << 32][self.below(6)];
                *ids.get_mut(at)? = invented;
            }
            Lie::RepeatedEvent => {
                let again = *ids.get(at)?;
                if ids.len() < asked.size() {
                    ids.insert(at, again);
                } else {
                    *ids.get_mut(at + 1)? = again;
                }
            }
            Lie::SwappedNeighbours => neighbours(false).map(|at| ids.swap(at, at + 1))?,
            Lie::WrongTieOrder => neighbours(true).map(|at| ids.swap(at, at + 1))?,
            Lie::OutsideWindow => {
                let outside = |event: &Event| !(*from_ts..=*to_ts).contains(&event.created_at);
                return instead(&outside, Filter { from_ts: i64::MIN, to_ts: i64::MAX, ..filter });
            }
            Lie::WrongActor => {
                let other = actor_id.as_ref()?;
                return instead(&|event| event.actor_id != *other, Filter { actor_id: None, ..filter });
            }
            Lie::WrongAction => {
                let other = action.as_ref()?;
                return instead(&|event| event.action != *other, Filter { action: None, ..filter });
            }
            Lie::OneTooMany => ids.push(self.events[*asked.rest.get(asked.size())?].id),
            Lie::DroppedEvent => {
                let short = honest.last()? - honest.first()? < PROVED;
                if at == 0 || at + 1 >= ids.len() || !short {
                    return None;
                }
                ids.remove(at);
                // Another one takes its room, as long as the span stays short enough for a proof.
                let next = asked.rest.get(honest.len()).filter(|&&next| next - honest[0] < PROVED);
                ids.extend(next.map(|&next| self.events[next].id));
            }
            Lie::EarlyEnd | Lie::NextPageInstead | Lie::StalePage => return None,
        }
        Some(ids)
    }
}

#[test]
fn each_kind_of_lie_that_a_page_betrays_is_refused_a_thousand_times() {
    let mut model = Model::new();
    let kinds = [
        Lie::InventedId,
        Lie::RepeatedEvent,
        Lie::SwappedNeighbours,
        Lie::WrongTieOrder,
        Lie::OutsideWindow,
        Lie::WrongActor,
        Lie::WrongAction,
        Lie::OneTooMany,
        Lie::DroppedEvent,
    ];
    for kind in kinds {
        let (mut told, mut named) = (0, BTreeMap::new());
        while told < LIES {
            let asked = model.asked();
            let Some(claims) = model.told(kind, &asked) else { continue };
            let seen = model.seen(&asked.request, &claims);
            assert!(seen.is_some(), "{kind:?} was not seen: {:?} answered by {claims:?}", asked.request);
            told += 1;
            *named.entry(seen).or_insert(0) += 1;
        }
        assert!(named[&Some(kind)] >= LIES / 2, "{kind:?} was named {named:?}");
    }
}

#[test]
fn a_walk_by_cursor_that_hides_one_event_is_refused_whichever_it_is() {
    let mut model = Model::new();
    for action in [None, Some("LOGIN".to_owned())] {
        let filter = Filter { from_ts: i64::MIN, to_ts: i64::MAX, actor_id: None, action };
        let whole = model.matching(&filter, None);
        for _ in 0..LIES / 2 {
            let (hidden, page_size) = (model.below(whole.len()), 1 + model.below(40));
            let told: Vec<usize> =
                whole.iter().enumerate().filter(|(at, _)| *at != hidden).map(|(_, place)| *place).collect();
            // Only the pages about the gap can betray it.
            let from = hidden.saturating_sub(2) / page_size * page_size;
            let mut position = match from.checked_sub(1) {
                Some(last) => Position::After(model.key(told[last])),
                None => Position::Page(1),
            };
            let mut refused = false;
            // Where the log ends within three pages, an empty one is asked for too.
            let end = (from + 3 * page_size >= told.len()).then_some(&[][..]);
            for page in told[from..].chunks(page_size).take(3).chain(end) {
                let request = PageRequest {
                    filter: filter.clone(),
                    position,
                    page_size: u32::try_from(page_size).unwrap(),
                    up_to: Some(model.last_id()),
                };
                refused |= model.seen(&request, &model.ids(page)).is_some();
                let Some(&last) = page.last() else { break };
                position = Position::After(model.key(last));
            }
            assert!(refused, "event {hidden} hidden from pages of {page_size} with {filter:?}");
        }
    }
}

/// Marks say what a row was when it was read. A rewrite that looks like an append makes them wrong, and fewer pages are
/// proved; one that brought no new row has them forgotten.
#[test]
fn honest_pages_of_a_log_that_was_rewritten_in_place_are_never_refused() {
    for beside_an_append in [true, false] {
        let mut model = Model::new();
        let mut proofs = [0, 0];
        for proved in &mut proofs {
            for action in ["LOGIN", "EXPORT"] {
                let filter = Filter {
                    from_ts: i64::MIN,
                    to_ts: i64::MAX,
                    actor_id: None,
                    action: Some(action.into()),
                };
                let mut position = Position::Page(1);
                for places in model.matching(&filter, None).chunks(20) {
                    let request = PageRequest {
                        filter: filter.clone(),
                        position,
                        page_size: 20,
                        up_to: Some(model.last_id()),
                    };
                    let page = check::read(model.session.snapshot(), &request, &model.ids(places)).unwrap();
                    *proved += usize::from(page.proved);
                    position = Position::After(page.last_key().unwrap());
                }
            }
            model.rewrite(beside_an_append);
        }
        let [before, after] = proofs;
        if beside_an_append {
            assert!(before > after && after > 0, "{proofs:?} pages proved: the marks were not in use");
        } else {
            assert!(before > 0 && after >= before, "{proofs:?} pages proved: marks outlived their rows");
        }
    }
}

fn honest_pages_raise_no_alarm(pages: usize) {
    let mut model = Model::new();
    let (mut proved, mut shown) = (0, 0);
    for _ in 0..pages {
        let asked = model.asked();
        let claims = model.ids(asked.honest());
        let page = check::read(model.session.snapshot(), &asked.request, &claims);
        let page = page.unwrap_or_else(|error| panic!("{error}: {:?} answered by {claims:?}", asked.request));
        proved += usize::from(page.proved);
        shown += usize::from(!claims.is_empty());
    }
    println!("{pages} honest pages: no false alarm; {shown} with events, {proved} proved complete");
    assert!(shown > pages / 2 && proved > pages / 2);
}

#[test]
fn honest_pages_are_never_refused() {
    honest_pages_raise_no_alarm(20_000);
}

/// For `./run_tests --full`.
#[test]
#[ignore = "takes minutes"]
fn a_million_honest_pages_are_never_refused() {
    honest_pages_raise_no_alarm(1_000_000);
}
