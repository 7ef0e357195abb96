//! Page requests at every edge: where two strategies, or a strategy and the log, may differ.

use super::Stream;
use keyhole_log::dataset::random::Random;
use keyhole_log::model::{Filter, Key, PageRequest, Position};
use keyhole_log::survey::profile::Profile;

#[cfg(test)]
mod tests;
mod values;

use values::{DAY, Window};

/// Every edge of this log: first a fixed list, then mixes of its parts, until there are `count`.
pub fn edges(profile: &Profile, seed: u64, count: usize) -> Stream {
    let parts = Parts::of(profile);
    let mut requests = parts.fixed();
    let mut random = Random::new(seed);
    requests.truncate(count);
    while requests.len() < count {
        requests.push(parts.mixed(&mut random));
    }
    Stream { name: "edges", requests }
}

/// What requests are put together from.
struct Parts {
    whole: Window,
    windows: Vec<Window>,
    actors: Vec<i64>,
    actions: Vec<String>,
    pages: Vec<u64>,
    keys: Vec<Key>,
    bounds: Vec<i64>,
    ties: Vec<i64>,
    rows: u64,
    high_water: i64,
}

impl Parts {
    fn of(profile: &Profile) -> Self {
        let &Profile { rows, high_water, oldest, newest, .. } = profile;
        let middle = oldest.midpoint(newest);
        Self {
            whole: (oldest, newest),
            windows: values::windows(profile, middle),
            actors: values::actors(profile),
            actions: values::actions(profile),
            pages: values::PAGES.to_vec(),
            keys: values::keys(profile, middle),
            bounds: values::bounds(high_water),
            ties: profile.ties.clone(),
            rows,
            high_water,
        }
    }

    /// The whole log, from its first event on.
    fn plain(&self, page_size: u32) -> PageRequest {
        request(self.whole, Position::Page(1), page_size)
    }

    fn fixed(&self) -> Vec<PageRequest> {
        let mut list = self.ends();
        list.extend(self.combinations());
        list.extend(self.ties.iter().take(4).flat_map(|&second| around_a_tie(second)));
        let plain = || self.plain(10);
        for &window in &self.windows {
            list.extend([1, 7, 1000].map(|size| request(window, Position::Page(1), size)));
        }
        for &actor in &self.actors {
            list.push(with(plain(), Some(actor), None));
        }
        for action in &self.actions {
            list.push(with(plain(), None, Some(action)));
        }
        for &page in &self.pages {
            list.push(PageRequest { position: Position::Page(page), ..plain() });
        }
        for &key in &self.keys {
            list.push(PageRequest { position: Position::After(key), ..self.plain(7) });
        }
        for &bound in &self.bounds {
            list.push(PageRequest { up_to: Some(bound), ..plain() });
            list.push(PageRequest { position: Position::Page(3), up_to: Some(bound), ..self.plain(7) });
        }
        list
    }

    /// The first page of the log, its last one, and the one after it.
    fn ends(&self) -> Vec<PageRequest> {
        let page = |number, size| PageRequest { position: Position::Page(number), ..self.plain(size) };
        let ends = [1, 7, 10, 1000].into_iter().flat_map(|size| {
            let last = self.rows.div_ceil(u64::from(size)).max(1);
            [1, last, last.saturating_add(1)].map(|number| page(number, size))
        });
        ends.chain([page(2000, 1), page(2000, 7), page(2000, 1000)]).collect()
    }

    /// Each combination of window, actor and action, of an id's bound, and of the two positions.
    fn combinations(&self) -> Vec<PageRequest> {
        let (from_ts, to_ts) = self.whole;
        let middle = Key { created_at: from_ts.midpoint(to_ts), id: 0 };
        let week = (to_ts.saturating_sub(7 * DAY), to_ts);
        let actor = self.actors.first().copied();
        let action = self.actions.first();
        let bound = self.bounds.first().copied();
        (0..32u8)
            .map(|choice| {
                let chosen = |bit: u8| choice & bit != 0;
                let window = if chosen(1) { week } else { self.whole };
                let position = if chosen(16) { Position::After(middle) } else { Position::Page(1) };
                PageRequest {
                    up_to: bound.filter(|_| chosen(8)),
                    ..with(
                        request(window, position, 10),
                        actor.filter(|_| chosen(2)),
                        action.filter(|_| chosen(4)),
                    )
                }
            })
            .collect()
    }

    /// One request of random parts. The plain ones come up most, or nearly every page were empty.
    fn mixed(&self, random: &mut Random) -> PageRequest {
        let window = match random.below(5) {
            0 => *random.choice(&self.windows),
            1 => self.random_window(random),
            2 if !self.ties.is_empty() => self.tie_window(random),
            _ => self.whole,
        };
        let actor = (random.below(4) == 0).then(|| *early(random, &self.actors));
        let action = (random.below(3) == 0).then(|| early(random, &self.actions));
        let page_size = *random.choice(&[1, 2, 7, 10, 20, 50, 1000]);
        let position = match random.below(8) {
            0 => Position::Page(*random.choice(&self.pages)),
            1 | 2 => Position::After(self.random_key(random)),
            // Up to the page after the last one.
            3 => {
                let last = self.rows.div_ceil(u64::from(page_size));
                Position::Page(random.below(last.saturating_add(1)).saturating_add(1))
            }
            _ => Position::Page(random.below(5) + 1),
        };
        let up_to = (random.below(4) == 0).then(|| *early(random, &self.bounds));
        PageRequest { up_to, ..with(request(window, position, page_size), actor, action) }
    }

    /// A window that starts or ends with a tie, and may hold nothing else.
    fn tie_window(&self, random: &mut Random) -> Window {
        let second = *random.choice(&self.ties);
        *random.choice(&[
            (second, second),
            (second.saturating_sub(1), second),
            (second, second.saturating_add(1)),
            (self.whole.0, second),
            (second, self.whole.1),
        ])
    }

    fn random_key(&self, random: &mut Random) -> Key {
        if self.ties.is_empty() || random.below(2) == 0 {
            *random.choice(&self.keys)
        } else {
            let created_at = *random.choice(&self.ties);
            Key { created_at, id: random.randint(0, self.high_water.max(0)) }
        }
    }

    /// A window that starts in the log and is a second to a month long.
    fn random_window(&self, random: &mut Random) -> Window {
        let from_ts = random.randint(self.whole.0, self.whole.1);
        let length = *random.choice(&[0, 1, 60, 3600, DAY, 7 * DAY, 31 * DAY]);
        (from_ts, from_ts.saturating_add(length))
    }
}

/// One of the items, half of the time one of the first four: the log's own come first.
fn early<'items, T>(random: &mut Random, items: &'items [T]) -> &'items T {
    let own = if random.below(2) == 0 { 4 } else { items.len() };
    random.choice(&items[..own.min(items.len())])
}

fn request((from_ts, to_ts): Window, position: Position, page_size: u32) -> PageRequest {
    let filter = Filter { from_ts, to_ts, actor_id: None, action: None };
    PageRequest { filter, position, page_size, up_to: None }
}

fn with(mut request: PageRequest, actor_id: Option<i64>, action: Option<&String>) -> PageRequest {
    request.filter.actor_id = actor_id;
    request.filter.action = action.cloned();
    request
}

/// Pages whose seam lies between two events of one second: with one event a page, every seam does.
fn around_a_tie(second: i64) -> Vec<PageRequest> {
    let alone = (second, second);
    let up_to_it = (i64::MIN, second);
    let from_it = (second, second.saturating_add(DAY));
    let mut list = Vec::new();
    for page in 1..=3 {
        list.push(request(alone, Position::Page(page), 1));
        list.push(request(up_to_it, Position::Page(page), 1));
    }
    for size in [1, 7] {
        for id in [i64::MAX, 1, i64::MIN] {
            let after = Position::After(Key { created_at: second, id });
            list.push(request(up_to_it, after, size));
            list.push(request(from_it, after, size));
        }
    }
    list.push(request(alone, Position::Page(1), 1000));
    list.push(request((second.saturating_add(1), second), Position::Page(1), 7));
    list
}
