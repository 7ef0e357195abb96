//! One history, played: changes, and everybody asked after each batch of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use keyhole_log::dataset::Random;
use keyhole_log::grants::Instances;
use keyhole_log::limits::Limits;
use keyhole_log::model::{PageRequest, Position};
use serde_json::{Value, json};

use super::change::{Batch, History};
use super::judge::{Excuses, Failure, What, wrong};
use super::live::{Listing, Live};
use super::oracle::{Oracle, after, whole};
use super::sides::{Answer, ByCommand, IfChanged, InProcess, Running, Served, Side, ask};
use crate::support::{Place, SetOnDrop, code, stderr};

/// How much longer a commit may wait beside readers than a reader may hold the log's lock, in milliseconds: what
/// `live_writer` allows.
const SPARE_MS: f64 = 25.0;

/// Most pages of a walk by cursor.
const WALK: usize = 4;

/// Where histories are played, one after another: what is compiled is kept, all else is made anew.
pub(super) struct Stage {
    place: Arc<Place>,
    writer: Live,
    watcher: Live,
    logs: u64,
    /// How long the writer waits for a lock before it fails, in seconds: CPython's default.
    pub(super) timeout: f64,
}

impl Stage {
    pub(super) fn new() -> Self {
        let (place, writer, watcher) = (Arc::new(Place::new()), Live::start(), Live::start());
        Self { place, writer, watcher, logs: 0, timeout: 5.0 }
    }

    pub(super) fn kinds(&mut self) -> Vec<String> {
        self.writer.kinds()
    }

    /// Plays a history before these sides, which are made for a log's folder. The first failure ends it.
    pub(super) fn play(
        &mut self,
        history: &History,
        sides: impl FnOnce(&Arc<Place>, &Path) -> Vec<Box<dyn Side>>,
    ) -> Result<(), Failure> {
        self.logs += 1;
        let data = self.place.path(&format!("log-{}", self.logs));
        let made = json!({"do": "make", "folder": data, "rows": history.rows, "mode": history.mode, "timeout": self.timeout});
        self.writer.order(&made).unwrap();
        let mut play = Play {
            sides: sides(&self.place, &data).into_iter().map(Seat::of).collect(),
            place: &self.place,
            writer: &mut self.writer,
            watcher: &mut self.watcher,
            data,
            random: Random::new(history.seed ^ 0xa5c),
            oracle: Oracle::default(),
            database: None,
            batch: 0,
            did: vec![format!("a log of {} events, journal mode {}", history.rows, history.mode)],
        };
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play.all(history)));
        let outcome = caught.unwrap_or_else(|panic| {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(play.failure(What::Ended, "a panic", words.unwrap_or_default()))
        });
        drop(play);
        if matches!(&outcome, Err(Failure { what: What::Ended, .. })) {
            // Nobody knows what they stand in the middle of.
            (self.writer, self.watcher) = (Live::start(), Live::start());
        } else {
            self.writer.order(&json!({"do": "finish"})).unwrap();
        }
        self.clear();
        outcome
    }

    /// Forgets what was kept of the last log, but for compiled code and the key that vouches for it.
    fn clear(&self) {
        for cache in ["cache", "cache-workers", "cache-commands"] {
            let _ = std::fs::remove_dir_all(self.place.path(cache).join("scratch"));
        }
        for file in std::fs::read_dir(self.place.path("state")).into_iter().flatten().flatten() {
            if !file.file_name().to_string_lossy().ends_with(".key") {
                let _ = std::fs::remove_file(file.path());
            }
        }
    }
}

/// Everybody who answers.
pub(super) fn everybody(by_command: bool) -> impl FnOnce(&Arc<Place>, &Path) -> Vec<Box<dyn Side>> {
    move |place, data| {
        let cache = place.path("cache-workers");
        let worker =
            |name, instances| -> Box<dyn Side> { Box::new(InProcess::of(name, instances, data, &cache)) };
        let running = Running::new(place, data);
        let mut sides = vec![
            worker("native-baseline", Instances::Fresh),
            worker("baseline", Instances::Fresh),
            worker("native-keyset", Instances::Fresh),
            worker("keyset", Instances::Fresh),
            worker("keyset", Instances::Warm(100)),
            Box::new(IfChanged::new(&running)),
            Box::new(Served(running)),
        ];
        if by_command {
            let cache = place.path("cache-commands");
            sides.push(Box::new(ByCommand { place: Arc::clone(place), data: data.to_owned(), cache }));
        }
        sides
    }
}

/// A side, and the cursor that it was given before the last change.
struct Seat {
    side: Box<dyn Side>,
    cursor: Option<(PageRequest, Option<String>)>,
}

impl Seat {
    fn of(side: Box<dyn Side>) -> Self {
        Self { side, cursor: None }
    }
}

/// How often a side may be wrong.
#[derive(Clone, Copy, PartialEq)]
enum Leave {
    /// Never.
    Never,
    /// Once, where it keeps something: the second time it is asked, it knows.
    Once,
    /// As often as it is asked, where it keeps something: what was changed looks like an append.
    UntilScrubbed,
}

struct Play<'a> {
    sides: Vec<Seat>,
    place: &'a Place,
    writer: &'a mut Live,
    watcher: &'a mut Live,
    data: PathBuf,
    random: Random,
    /// The log as it is now.
    oracle: Oracle,
    /// The inode of the database.
    database: Option<String>,
    batch: usize,
    did: Vec<String>,
}

impl Play<'_> {
    fn failure(&self, what: What, who: &str, words: String) -> Failure {
        Failure { what, who: who.to_owned(), words, after: self.batch, did: self.did.clone() }
    }

    fn all(&mut self, history: &History) -> Result<(), Failure> {
        self.look(Leave::Never)?;
        for (number, batch) in history.batches.iter().enumerate() {
            self.batch = number;
            self.change(batch)?;
            if batch.leaves_unrecovered() {
                self.look_at_what_a_killed_writer_left()?;
            }
            self.look(Leave::Once)?;
        }
        Ok(())
    }

    fn change(&mut self, batch: &Batch) -> Result<(), Failure> {
        if batch.reopened {
            self.did.push("all who answer are ended, to begin anew after what follows".to_owned());
            self.sides.iter_mut().for_each(|seat| seat.side.end());
        }
        self.sides.iter_mut().for_each(|seat| seat.side.before_change());
        let order = json!({"do": "change", "changes": batch.changes.iter().map(super::change::Change::order).collect::<Vec<_>>()});
        let changed = if batch.beside_pages && !batch.reopened {
            self.beside_pages(&order)
        } else {
            self.writer.order(&order)
        };
        let changed = match changed {
            Ok(changed) => changed,
            Err(words) => {
                self.did.push(format!("[{}]", batch.name()));
                return Err(self.failure(What::WriterFailed, "the writer", words));
            }
        };
        for (did, change) in changed["did"].as_array().unwrap().iter().zip(&batch.changes) {
            let joined =
                if change.order()["joined"] == true { ", in the same commit where that can be" } else { "" };
            self.did.push(format!("{}{joined}   [{}]", did.as_str().unwrap_or("nothing"), change.kind));
        }
        let (waited, may_wait) = (
            changed["longest_ms"].as_f64().unwrap(),
            Limits::default().log_lock.as_secs_f64() * 1e3 + SPARE_MS,
        );
        if waited > may_wait {
            let words = format!("a statement waited {waited:.0} ms, where {may_wait:.0} ms are the most");
            return Err(self.failure(What::WriterWaited, "the writer", words));
        }
        Ok(())
    }

    /// Carries out an order of the writer while everybody is asked again and again. What is answered in the middle
    /// of a change is not judged; that the writer comes through is.
    fn beside_pages(&mut self, order: &Value) -> Result<Value, String> {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for seats in self.sides.chunks_mut(2) {
                let over = &over;
                scope.spawn(move || {
                    while !over.load(SeqCst) {
                        for seat in &mut *seats {
                            seat.side.answer(&whole(1, 20), None);
                        }
                        std::thread::sleep(Duration::from_micros(200));
                    }
                });
            }
            let _over = SetOnDrop(&over);
            // They are at it.
            std::thread::sleep(Duration::from_millis(2));
            self.writer.order(order)
        })
    }

    /// A log that nobody has recovered yet may be refused; what is shown of it must be right all the same.
    fn look_at_what_a_killed_writer_left(&mut self) -> Result<(), Failure> {
        let before = self.watcher.list(&self.data);
        let request = whole(1, 20);
        let answers: Vec<(String, bool, Answer)> = self
            .sides
            .iter_mut()
            .map(|seat| (seat.side.name(), seat.side.keeps_something(), ask(&mut *seat.side, &request, None)))
            .collect();
        self.untouched(&before)?;
        let oracle = self.ask_the_writer()?;
        let excuses = Excuses { unrecovered: true, another_log: false };
        for (name, _, answer) in answers.iter().filter(|(_, keeps, _)| !keeps) {
            if let Some(words) = wrong(&oracle, &request, answer, excuses) {
                let words = format!("before the log is recovered: {words}");
                return Err(self.failure(What::WrongAtOnce, name, words));
            }
        }
        Ok(())
    }

    fn ask_the_writer(&mut self) -> Result<Oracle, Failure> {
        Oracle::ask(self.writer)
            .map_err(|words| self.failure(What::WriterFailed, "the writer, reading", words))
    }

    fn untouched(&mut self, before: &Listing) -> Result<(), Failure> {
        let differences = self.watcher.list(&self.data).differences(before);
        if differences.is_empty() {
            return Ok(());
        }
        Err(self.failure(What::FilesChanged, "a file", differences.join("; ")))
    }

    /// Asks everybody. `leave` is how wrong may be what the change does not hide.
    fn look(&mut self, leave: Leave) -> Result<(), Failure> {
        let mut oracle = self.ask_the_writer()?;
        oracle.follows(&self.oracle);
        let requests = oracle.requests(&self.oracle, &mut self.random);
        if let Err(words) = oracle.assert_live(self.writer, &requests) {
            return Err(self.failure(What::WriterFailed, "the writer, reading", words));
        }
        let before = self.watcher.list(&self.data);
        let database = before.database().map(str::to_owned);
        let replaced = database != self.database;
        let was = std::mem::replace(&mut self.oracle, oracle);
        self.database = database;
        let hidden = !replaced && self.oracle.hides_a_rewrite(&was);
        let leave = if hidden { Leave::UntilScrubbed } else { leave };
        let another_log = self.oracle.is_named_otherwise(&was);
        let mut missed = false;
        for number in 0..self.sides.len() {
            missed |= self.ask_one(number, &requests, leave, another_log)?;
        }
        if missed {
            let said = self.scrub();
            for number in 0..self.sides.len() {
                self.ask_one(number, &requests, Leave::Never, another_log).map_err(|failure| {
                    let words = format!("{}; {said}", failure.words);
                    Failure { what: What::WrongAfterScrub, words, ..failure }
                })?;
            }
        }
        self.untouched(&before)
    }

    /// Runs the verb that compares everything at once, on each cache. What it says where it does not know how.
    fn scrub(&self) -> String {
        let said = ["cache", "cache-workers", "cache-commands"].map(|cache| {
            let mut command = self.place.keyhole();
            command.env("KEYHOLE_CACHE", self.place.path(cache)).arg("--data").arg(&self.data);
            let output = command.args(["scratch", "scrub", "--all"]).output().unwrap();
            let words = stderr(&output);
            if matches!(code(&output), 0 | 1) {
                String::new()
            } else {
                words.lines().next().unwrap_or_default().to_owned()
            }
        });
        let refused = said.iter().find(|words| !words.is_empty());
        refused.map_or("after a scrub".to_owned(), |words| format!("there was no scrub: {words}"))
    }

    /// Asks one side all of it. Whether it was wrong where it may be until a scrub.
    fn ask_one(
        &mut self,
        number: usize,
        requests: &[PageRequest],
        leave: Leave,
        another_log: bool,
    ) -> Result<bool, Failure> {
        let leave = if self.sides[number].side.keeps_something() { leave } else { Leave::Never };
        let mut wrongs = 0;
        let mut one = |play: &mut Self, request: &PageRequest, cursor: Option<&str>, excuses| {
            let side = &mut *play.sides[number].side;
            let answer = ask(side, request, cursor);
            let Some(words) = wrong(&play.oracle, request, &answer, excuses) else { return Ok(Some(answer)) };
            wrongs += 1;
            let name = side.name();
            let told = |words: &str| format!("{}: {words}", serde_json::to_string(request).unwrap());
            match leave {
                Leave::UntilScrubbed => Ok(None),
                Leave::Never => Err(play.failure(What::WrongAtOnce, &name, told(&words))),
                Leave::Once if wrongs > 1 => Err(play.failure(What::WrongTwice, &name, told(&words))),
                Leave::Once => {
                    let answer = ask(side, request, cursor);
                    match wrong(&play.oracle, request, &answer, excuses) {
                        None => Ok(Some(answer)),
                        Some(words) => Err(play.failure(What::WrongTwice, &name, told(&words))),
                    }
                }
            }
        };
        if let Some((request, cursor)) = self.sides[number].cursor.take() {
            let excuses = Excuses { another_log, ..Excuses::default() };
            one(self, &request, cursor.as_deref(), excuses)?;
        }
        let mut cursor = None;
        for request in requests {
            if !self.sides[number].side.takes(request) {
                continue;
            }
            let answer = one(self, request, None, Excuses::default())?;
            // A walk from the first page, and the cursor that is used after the next change.
            let Some(mut answer) = answer.filter(|_| *request == whole(1, 20)) else { continue };
            let (mut at, up_to) = (request.clone(), self.oracle.largest());
            for _ in 0..WALK {
                let Answer::Page { events, next } = &answer else { break };
                let Some(last) = events.last().filter(|_| events.len() == at.page_size as usize) else {
                    break;
                };
                at = after(&at, (last.created_at, last.id), up_to);
                let next = next.clone();
                if !self.sides[number].side.takes(&at) {
                    break;
                }
                let Some(more) = one(self, &at, next.as_deref(), Excuses::default())? else { break };
                answer = more;
                cursor = cursor.or_else(|| Some((at.clone(), next)));
            }
            debug_assert!(matches!(request.position, Position::Page(_)));
        }
        self.sides[number].cursor = cursor;
        Ok(leave == Leave::UntilScrubbed && wrongs > 0)
    }
}
