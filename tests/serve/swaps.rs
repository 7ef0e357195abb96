//! Swaps under load, as an operator orders them and a client sees them: through the admin socket of a real process,
//! with walks over HTTP beside them. No request fails, no walk has a gap or a repeat, and nobody is answered by a
//! strategy that was not active at any moment of the request's time.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::server::{Reply, Server, page_request, processor};
use super::stanzas::{PATIENT, Stanzas, bring_in, order};
use crate::support::{Place, data};

/// Strategies that take turns: with three, an answer of the one before last is told from those of a swap's two sides.
const NAMES: [&str; 3] = ["first", "second", "third"];

/// The pages of the clients. Small, so that what a client itself costs is little of what is measured.
const PAGE_SIZES: [u32; 4] = [5, 10, 20, 30];

/// Between two swaps: long enough for requests whose strategy is certain, and no longer.
const PAUSE: Duration = Duration::from_millis(3);

/// The events of the contract's data set.
const ROWS: usize = 50_000;

/// One request.
struct Asked {
    began: Instant,
    ended: Instant,
    strategy: String,
    digest: String,
}

/// What a client saw.
#[derive(Default)]
struct Seen {
    asked: Vec<Asked>,
    /// Walks from the newest event to the oldest.
    walks: u64,
    /// Answers that were none, and walks with a gap or a repeat.
    failures: Vec<String>,
}

impl Seen {
    /// Adds what another client saw.
    fn add(&mut self, other: Self) {
        self.asked.extend(other.asked);
        self.walks += other.walks;
        self.failures.extend(other.failures);
    }

    /// The latency, in seconds, that this share of the requests stays below.
    fn percentile(&self, share: f64) -> f64 {
        let mut latencies: Vec<f64> =
            self.asked.iter().map(|asked| (asked.ended - asked.began).as_secs_f64()).collect();
        latencies.sort_by(f64::total_cmp);
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let place = (latencies.len() as f64 * share) as usize;
        latencies[place.min(latencies.len() - 1)]
    }
}

/// Walks a log of so many events, again and again, until it is over.
fn walk(server: &Server, rows: usize, page_size: u32, over: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut stream = server.connect();
    // Both sides of the loopback: no packet waits for another.
    stream.set_nodelay(true).unwrap();
    let (mut after, mut walked) = (None::<String>, Vec::<(i64, i64)>::with_capacity(rows));
    while !over.load(SeqCst) {
        let position = after.take().map_or_else(String::new, |cursor| format!("&after={cursor}"));
        let request = page_request(&format!("page_size={page_size}{position}"));
        let began = Instant::now();
        let reply = stream.write_all(request.as_bytes()).ok().and_then(|()| Reply::read(&mut stream));
        let ended = Instant::now();
        let Some(reply) = reply.filter(|reply| reply.status == 200) else {
            seen.failures.push(format!("no page, over the connection of {page_size} a page"));
            stream = server.connect();
            walked.clear();
            continue;
        };
        let [strategy, digest] =
            ["keyhole-strategy", "keyhole-digest"].map(|name| reply.header(name).unwrap().to_owned());
        seen.asked.push(Asked { began, ended, strategy, digest });
        let page = reply.json();
        let key = |event: &Value| (event["created_at"].as_i64().unwrap(), event["id"].as_i64().unwrap());
        walked.extend(page["events"].as_array().unwrap().iter().map(key));
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            if walked.len() != rows || !walked.is_sorted_by(|one, next| one > next) {
                seen.failures.push(format!("a gap or a repeat in a walk of {rows} events: {}", walked.len()));
            }
            seen.walks += 1;
            walked.clear();
        }
    }
    seen
}

/// A swap as its operator saw it.
struct Swap {
    began: Instant,
    ended: Instant,
    to: &'static str,
    took_us: u64,
}

/// A server between whose strategies swaps go round.
struct Round {
    server: Server,
    digests: BTreeMap<&'static str, String>,
    rows: usize,
    swaps: usize,
    active: &'static str,
    pause: Duration,
}

impl Round {
    fn start(place: &Place, data: &Path, rows: usize, head: &str) -> Self {
        let mut stanzas = Stanzas::new(place, head);
        let paths = NAMES.map(|name| stanzas.let_in_keyset(name));
        let server = Server::quiet(place, data, &["--rate", "0", "--policy", &stanzas.write()]);
        for (name, path) in NAMES.into_iter().zip(&paths) {
            bring_in(&server, path, name);
        }
        let digest = |path| keyhole_log::hash::sha256(&std::fs::read(path).unwrap());
        let digests = NAMES.into_iter().zip(paths.iter().map(digest)).collect();
        Self { server, digests, rows, swaps: 0, active: NAMES[2], pause: PAUSE }
    }

    /// Clients walk while `beside` goes on, and what they saw is judged.
    fn beside<T>(&self, beside: impl FnOnce() -> T) -> (Seen, T) {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let over = &over;
            let clients =
                PAGE_SIZES.map(|size| scope.spawn(move || walk(&self.server, self.rows, size, over)));
            let outcome = beside();
            over.store(true, SeqCst);
            let mut seen = Seen::default();
            for client in clients {
                seen.add(client.join().unwrap());
            }
            (seen, outcome)
        })
    }

    /// So many swaps beside the clients.
    fn swapping(&mut self, swaps: usize) -> (Seen, Vec<Swap>) {
        let (first, before) = (self.swaps, self.active);
        let numbers = first..first + swaps;
        let (seen, made) =
            self.beside(|| numbers.map(|number| self.swap(NAMES[number % 3])).collect::<Vec<_>>());
        self.swaps += swaps;
        self.active = made.last().map_or(before, |swap| swap.to);
        (self.judged(seen, before, &made), made)
    }

    /// No swap for this long.
    fn steady(&self, time: Duration) -> Seen {
        let (seen, ()) = self.beside(|| std::thread::sleep(time));
        self.judged(seen, self.active, &[])
    }

    /// What was seen, and with its failures each answer of a strategy that served at no moment of the request's time.
    fn judged(&self, mut seen: Seen, before: &'static str, swaps: &[Swap]) -> Seen {
        for asked in &seen.asked {
            let allowed = served(asked, before, swaps);
            let it_is = |name: &&str| asked.strategy == **name && asked.digest == self.digests[*name];
            if !allowed.iter().any(it_is) {
                let (strategy, digest) = (&asked.strategy, &asked.digest);
                seen.failures.push(format!("{strategy} (sha256:{digest}) answered while {allowed:?} served"));
            }
        }
        seen
    }

    fn swap(&self, to: &'static str) -> Swap {
        let began = Instant::now();
        let done = order(&self.server, &json!({"verb": "promote", "name": to}));
        let ended = Instant::now();
        std::thread::sleep(self.pause);
        Swap { began, ended, to, took_us: done["swapped"]["took_us"].as_u64().unwrap() }
    }
}

/// Who was active at some moment from the request's begin to its end.
fn served(asked: &Asked, before: &'static str, swaps: &[Swap]) -> Vec<&'static str> {
    let over = swaps.partition_point(|swap| swap.ended <= asked.began);
    let at_first = if over == 0 { before } else { swaps[over - 1].to };
    let meanwhile = swaps[over..].iter().take_while(|swap| swap.began <= asked.ended);
    std::iter::once(at_first).chain(meanwhile.map(|swap| swap.to)).collect()
}

fn certain(seen: &Seen, before: &'static str, swaps: &[Swap]) -> usize {
    seen.asked.iter().filter(|asked| served(asked, before, swaps).len() == 1).count()
}

fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 { numbers[middle] } else { f64::midpoint(numbers[middle - 1], numbers[middle]) }
}

/// How many of so many sorted numbers to leave out on either side, so that the median lies between the rest at 95 %.
fn left_out(count: i32) -> usize {
    let mut term = 0.5_f64.powi(count);
    let (mut below, mut left) = (term, 0);
    while below <= 0.025 {
        left += 1;
        term *= f64::from(count + 1 - left) / f64::from(left);
        below += term;
    }
    usize::try_from(left - 1).unwrap_or(0)
}

#[test]
fn a_hundred_swaps_over_the_admin_socket_fail_no_request_and_break_no_walk() {
    let place = Place::new();
    let mut round = Round::start(&place, &place.small_data(1_000), 1_000, PATIENT);
    let (seen, swaps) = round.swapping(100);
    let sure = certain(&seen, NAMES[2], &swaps);
    let (asked, walks) = (seen.asked.len(), seen.walks);
    println!("100 swaps, {asked} requests, {sure} certain of their strategy, {walks} walks");
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    assert!(seen.walks > 0 && sure > 0);
    assert_eq!(round.server.state()["swaps"], 3 + 100);
}

/// For a quiet machine, with the limits that ship. Rounds with swaps and rounds without take turns, and both are
/// first in every second pair, so that whatever drifts meets both alike.
#[test]
#[ignore = "takes minutes: tests/full/run"]
fn ten_thousand_swaps_under_full_load_cost_a_tenth_of_the_p99_at_most() {
    let number = |name: &str, otherwise| std::env::var(name).map_or(otherwise, |text| text.parse().unwrap());
    let (swaps, rounds) = (number("KEYHOLE_SWAPS", 10_000), number("KEYHOLE_ROUNDS", 20));
    let place = Place::new();
    let mut round = Round::start(&place, data(), ROWS, "");
    // As fast as an operator can order them, unless it is said how long to wait in between.
    let pause = number("KEYHOLE_SWAP_PAUSE_MS", usize::try_from(PAUSE.as_millis()).unwrap());
    round.pause = Duration::from_millis(pause as u64);
    let (mut seen, mut made, mut sure) = (Seen::default(), Vec::new(), 0);
    let (mut ratios, mut steady, mut swapping) = (Vec::new(), Vec::new(), Vec::new());
    // What a first round finds cold belongs to neither side; it says how long a round takes.
    let began = Instant::now();
    let (warm, _) = round.swapping(swaps / rounds);
    let mut time = began.elapsed();
    assert!(warm.failures.is_empty(), "{:?}", warm.failures);
    round.steady(time);
    let (memory, used, mine) = (round.server.memory(), round.server.processor(), processor("self"));
    for pair in 0..rounds {
        let calm = if pair % 2 == 1 { Some(round.steady(time)) } else { None };
        let (began, before) = (Instant::now(), round.active);
        let (stormy, just_made) = round.swapping(swaps / rounds);
        time = began.elapsed();
        let calm = calm.unwrap_or_else(|| round.steady(time));
        sure += certain(&stormy, before, &just_made);
        let (one, other) = (calm.percentile(0.99), stormy.percentile(0.99));
        ratios.push(other / one);
        steady.push(one * 1e3);
        swapping.push(other * 1e3);
        made.extend(just_made);
        seen.walks += calm.walks;
        seen.failures.extend(calm.failures);
        seen.add(stormy);
    }
    let after = round.server.memory();
    let (server, clients) = (round.server.processor() - used, processor("self") - mine);
    let swap_time = |swaps: &[Swap]| {
        let times = swaps.iter().map(|swap| (swap.ended - swap.began).as_secs_f64() * 1e3);
        median(&mut times.collect::<Vec<_>>())
    };
    let mut moved: Vec<f64> =
        made.iter().map(|swap| f64::from(u32::try_from(swap.took_us).unwrap())).collect();
    let tenth = made.len() / 10;
    let (all, first, last) =
        (swap_time(&made), swap_time(&made[..tenth]), swap_time(&made[made.len() - tenth..]));
    let (ratio, moved) = (median(&mut ratios), median(&mut moved));
    let (steady, swapping) = (median(&mut steady), median(&mut swapping));
    let (out, end) = (left_out(i32::try_from(rounds).unwrap()), ratios.len() - 1);
    let (low, high, lowest, highest) = (ratios[out], ratios[end - out], ratios[0], ratios[end]);
    let (mine, yours) = (100.0 * server / (server + clients), 100.0 * clients / (server + clients));
    let (swaps, asked, walks, failures) = (made.len(), seen.asked.len(), seen.walks, seen.failures.len());
    println!(
        "{swaps} swaps in {rounds} rounds beside {asked} requests ({sure} of them certain of their strategy) and \
         {walks} whole walks in all: {failures} failures\n\
         a swap's order takes {all:.1} ms (the first tenth {first:.1}, the last {last:.1}), the pointer moves after \
         {moved:.0} us\n\
         P99 steady {steady:.2} ms, swapping {swapping:.2} ms: {ratio:.3} times (median of {rounds} rounds; {low:.3} to \
         {high:.3} at 95 %; {lowest:.3} to {highest:.3})\n\
         memory {memory} KiB before, {after} KiB after; processor time {mine:.0} % the server's, {yours:.0} % the \
         clients'"
    );
    assert!(seen.failures.is_empty(), "{:?}", &seen.failures[..seen.failures.len().min(10)]);
    assert!(seen.walks > 0 && sure > 0);
    assert!(ratio <= 1.1, "P99 is {ratio:.3} times that without swaps");
    assert!(after <= memory + memory / 20, "memory grew from {memory} to {after} KiB");
}
