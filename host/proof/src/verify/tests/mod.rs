//! The checks against strategies that are right, and wrong in every way that has a name.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod live;
mod naming;
mod runs;
mod text;
mod whole;

use super::fakes::{Events, Fake, Twist, everything, log_of, scrambled};
use super::*;
use keyhole_log::model::{Filter, PageRequest, Position};
use keyhole_log::survey::profile::Profile;

const NAMES: Names<'static> = Names { subject: "keyset", reference: "baseline", options: &[] };

/// Requests over pages that are mostly full, of every shape.
fn requests(count: i64) -> Vec<PageRequest> {
    (1..=count)
        .map(|number| {
            let random = scrambled(number);
            let drawn = |shift: u32, below: u64| (random >> shift) % below;
            let from_ts = 1_000_000 + i64::try_from(drawn(8, 200)).unwrap();
            PageRequest {
                filter: Filter {
                    from_ts,
                    to_ts: from_ts + 1_200,
                    actor_id: (drawn(16, 2) == 0).then(|| i64::try_from(drawn(20, 5)).unwrap() + 1),
                    action: (drawn(24, 3) == 0).then(|| "UPDATE".to_owned()),
                },
                position: Position::Page(drawn(28, 6) + 1),
                page_size: [10, 20, 50][usize::try_from(drawn(32, 3)).unwrap()],
                up_to: (drawn(40, 8) == 0).then_some(790),
            }
        })
        .collect()
}

fn stream(requests: Vec<PageRequest>) -> Vec<Stream> {
    vec![Stream { name: "dense", requests }]
}

fn run(log: &Events, twist: Twist, streams: &[Stream], walks: &[WalkStream]) -> Result<Report, Error> {
    let mut subject = Fake::new(log, twist);
    let mut reference = Fake::new(log, Twist::Not);
    verify(&mut subject, &mut reference, NAMES, streams, walks, &mut |_, _, _| Ok(()))
}

fn profile(log: &Events) -> Profile {
    let log = log.lock().unwrap();
    Profile {
        rows: log.len() as u64,
        high_water: log.last().unwrap().id,
        oldest: log.iter().map(|row| row.created_at).min().unwrap(),
        newest: log.iter().map(|row| row.created_at).max().unwrap(),
        contract_now: None,
        actors: vec![1, 2, 3, 4, 5],
        actions: ["DELETE", "LOGIN", "UPDATE"].map(str::to_owned).to_vec(),
        ties: vec![log[7].created_at],
    }
}
