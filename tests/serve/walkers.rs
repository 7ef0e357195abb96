//! Clients that walk the log over one connection each, page after page, and remember when each request began and
//! ended and who answered.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Instant;

use serde_json::Value;

use super::server::{Reply, Server};

/// One request.
pub(super) struct Asked {
    pub(super) began: Instant,
    pub(super) ended: Instant,
    pub(super) strategy: String,
    pub(super) digest: String,
}

/// What a client saw.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) asked: Vec<Asked>,
    /// Walks from the newest event to the oldest.
    pub(super) walks: u64,
    /// Answers that were none, and walks with a gap or a repeat.
    pub(super) failures: Vec<String>,
}

impl Seen {
    /// Adds what another client saw.
    pub(super) fn add(&mut self, other: Self) {
        self.asked.extend(other.asked);
        self.walks += other.walks;
        self.failures.extend(other.failures);
    }

    /// The latency, in seconds, that this share of the requests stays below.
    pub(super) fn percentile(&self, share: f64) -> f64 {
        let mut latencies: Vec<f64> =
            self.asked.iter().map(|asked| (asked.ended - asked.began).as_secs_f64()).collect();
        latencies.sort_by(f64::total_cmp);
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let place = (latencies.len() as f64 * share) as usize;
        latencies[place.min(latencies.len() - 1)]
    }
}

/// Walks a log of so many events, again and again, until it is over.
pub(super) fn walk(server: &Server, rows: usize, page_size: u32, over: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut stream = server.connect();
    // Both sides of the loopback: no packet waits for another.
    stream.set_nodelay(true).unwrap();
    let (mut after, mut walked) = (None::<String>, Vec::<(i64, i64)>::with_capacity(rows));
    while !over.load(SeqCst) {
        let position = after.take().map_or_else(String::new, |cursor| format!("&after={cursor}"));
        let request =
            format!("GET /v1/events?page_size={page_size}{position} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let began = Instant::now();
        let reply = stream.write_all(request.as_bytes()).ok().and_then(|()| Reply::read(&mut stream));
        let ended = Instant::now();
        let Some(reply) = reply.filter(|reply| reply.status == 200) else {
            seen.failures.push(format!("no page, over the connection of {page_size} a page"));
            stream = server.connect();
            walked.clear();
            continue;
        };
        let named = |name| reply.header(name).unwrap().to_owned();
        seen.asked.push(Asked {
            began,
            ended,
            strategy: named("keyhole-strategy"),
            digest: named("keyhole-digest"),
        });
        let page = reply.json();
        let key = |event: &Value| (event["created_at"].as_i64().unwrap(), event["id"].as_i64().unwrap());
        walked.extend(page["events"].as_array().unwrap().iter().map(key));
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            if walked.len() != rows || !walked.is_sorted_by(|one, next| one > next) {
                seen.failures
                    .push(format!("a walk of {rows} events has a gap or a repeat: {}", walked.len()));
            }
            seen.walks += 1;
            walked.clear();
        }
    }
    seen
}
