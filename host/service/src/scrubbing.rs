//! Comparing what scratch was made from with the log, again and again, while nobody waits for a page: a commit that appends
//! and rewrites looks like an append, and a log may be changed in ways that no commit shows. Beside that, whether each payload
//! is a line of its own, and has stayed.
//!
//! It runs at ordinary priority, in pieces of a few milliseconds: an idle thread may be taken off its processor while it holds
//! the log's lock, or the refresher's, and whoever waits for it would wait for everything that is busier.

use std::sync::Weak;
use std::time::{Duration, Instant};

use crate::decisions::Event;
use crate::deployments::Life;
use crate::inner::ServiceInner;

/// How long a piece takes: one read transaction.
const PIECE: Duration = Duration::from_millis(5);

/// How soon is looked again for something to do.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How long requests that wait for a worker may keep a piece that is due from being made.
const PATIENCE: Duration = Duration::from_secs(1);

/// Compares until the service ends.
pub(super) fn scrub_loop(service: &Weak<ServiceInner>) {
    let mut next = Instant::now();
    loop {
        match service.upgrade() {
            Some(service) if !service.ended.is_cancelled() => {
                if next <= Instant::now() {
                    next = Instant::now() + turn(&service);
                }
            }
            _ => return,
        }
        std::thread::sleep(next.saturating_duration_since(Instant::now()).min(LOOK_AGAIN));
    }
}

/// One piece of whichever scratch has been due for longest, if any is. How long to pause then.
fn turn(service: &ServiceInner) -> Duration {
    let now = service.lifecycle.snapshot();
    let proven = now.those(Life::is_proven_candidate);
    let all = now.active().into_iter().chain(now.fallbacks()).chain(proven);
    let mut deployments: Vec<_> = all.filter(|deployment| deployment.has_scratch()).collect();
    if now.reference.has_scratch() {
        deployments.push(now.reference.clone());
    }
    for deployment in &deployments {
        for reason in deployment.take_findings() {
            let reason = format!("scratch was filled anew: {reason}");
            service.settle(&service.about(Event::Refill, deployment, reason), false);
        }
    }
    let share = now.policy.scrub;
    let rows = deployments.iter().filter_map(|one| Some((one.scrub_due()?, Part::Rows, one)));
    // The payload file is the same for all: it is looked at once.
    let lines = deployments.iter().take(1).filter_map(|one| Some((one.lines_due()?, Part::Lines, one)));
    let first = rows.chain(lines).min_by_key(|(due, ..)| *due).filter(|_| share > 0.0);
    let Some((due, part, deployment)) = first else { return LOOK_AGAIN };
    let late = Instant::now().saturating_duration_since(due);
    let waiting = service.queue.figures().0 > 0;
    if due > Instant::now() || (waiting && late < PATIENCE) {
        return LOOK_AGAIN.min(due.saturating_duration_since(Instant::now()).max(PIECE));
    }
    let (began, rest) = (Instant::now(), (1.0 / share - 1.0).max(0.0));
    // A log that cannot be read now is met by the pages, which say so.
    match part {
        Part::Rows => drop(deployment.scrub(PIECE, rest)),
        Part::Lines => {
            if let Ok(Some(faults)) = deployment.scrub_lines(PIECE, rest) {
                service.settle(&service.about(Event::Payload, deployment, faults), false);
            }
        }
    }
    began.elapsed().mul_f64(rest)
}

/// What a piece looks at.
enum Part {
    Rows,
    Lines,
}
