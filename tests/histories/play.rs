//! One history, played: changes, and everybody asked after each batch of them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use keyhole_log::dataset::Random;
use keyhole_log::limits::Limits;
use keyhole_log::model::{PageRequest, Position};
use serde_json::{Value, json};

use super::change::{Batch, Change, History};
use super::judge::{Excuses, Failure, What, wrong};
use super::live::{Listing, Live};
use super::oracle::{Oracle, after, whole};
use super::sides::{Answer, Keeps, Side, ask};
use super::sleeper::beside_a_sleeper;
use crate::support::{Place, SetOnDrop, code, stderr};

/// How much longer a commit may wait beside readers than a reader may hold the log's lock, in milliseconds: what
/// `live_writer` allows.
const SPARE_MS: f64 = 25.0;

/// How often a reader that has the log's lock may be kept from its processor as long as a sleeper was at most.
const DELAYS: f64 = 4.0;

/// Most pages of a walk by cursor.
const WALK: usize = 4;

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

/// How often a side may be wrong after a change.
#[derive(Clone, Copy, PartialEq)]
enum Leave {
    /// Never.
    Never,
    /// Once: the second time it is asked, it knows.
    Once,
    /// As often as it is asked: what was changed looks like an append.
    UntilScrubbed,
}

/// How often who keeps an index, or pages, may be wrong after a change.
#[derive(Clone, Copy)]
struct Leaves {
    index: Leave,
    pages: Leave,
}

impl Leaves {
    const NONE: Self = Self { index: Leave::Never, pages: Leave::Never };
}

/// One side's turn.
struct Asking {
    number: usize,
    leave: Leave,
    /// How often it was wrong.
    wrongs: u32,
}

/// A history that is being played.
pub(super) struct Play<'a> {
    sides: Vec<Seat>,
    place: &'a Place,
    writer: &'a mut Live,
    watcher: &'a mut Live,
    data: PathBuf,
    random: Random,
    /// The log as it is now.
    oracle: Oracle,
    /// Whether the event by which cursors know the log has changed.
    another_log: bool,
    /// The inode of the database.
    database: Option<String>,
    batch: usize,
    did: Vec<String>,
}

impl<'a> Play<'a> {
    pub(super) fn new(
        history: &History,
        sides: Vec<Box<dyn Side>>,
        data: PathBuf,
        place: &'a Place,
        writer: &'a mut Live,
        watcher: &'a mut Live,
    ) -> Self {
        Self {
            sides: sides.into_iter().map(Seat::of).collect(),
            place,
            writer,
            watcher,
            data,
            random: Random::new(history.seed ^ 0xa5c),
            oracle: Oracle::default(),
            another_log: false,
            database: None,
            batch: 0,
            did: vec![format!("a log of {} events, journal mode {}", history.rows, history.mode)],
        }
    }

    pub(super) fn failure(&self, what: What, who: &str, words: String) -> Failure {
        Failure { what, who: who.to_owned(), words, after: self.batch, did: self.did.clone() }
    }

    /// Plays all of it; the first failure ends it.
    pub(super) fn all(&mut self, history: &History) -> Result<(), Failure> {
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
        let changes: Vec<Value> = batch.changes.iter().map(Change::order).collect();
        let order = json!({"do": "change", "changes": changes});
        let (changed, delay) = beside_a_sleeper(|| {
            if batch.beside_pages && !batch.reopened {
                self.beside_pages(&order)
            } else {
                self.writer.order(&order)
            }
        });
        let changed = match changed {
            Ok(changed) => changed,
            Err(words) => {
                self.did.push(format!("[{}]", batch.name()));
                return Err(self.failure(What::WriterFailed, "the writer", words));
            }
        };
        for (did, change) in changed["did"].as_array().unwrap().iter().zip(&batch.changes) {
            self.did.push(format!("{}   [{}]", did.as_str().unwrap(), change.kind));
        }
        let waited = changed["longest_ms"].as_f64().unwrap();
        let may_wait = Limits::default().log_lock.as_secs_f64() * 1e3 + SPARE_MS + DELAYS * delay;
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
        let answer = |seat: &mut Seat| {
            let answer = ask(&mut *seat.side, &request, None);
            (seat.side.name(), seat.side.keeps(), answer)
        };
        let answers: Vec<(String, Keeps, Answer)> = self.sides.iter_mut().map(answer).collect();
        self.untouched(&before)?;
        let oracle = self.ask_the_writer()?;
        let excuses = Excuses { unrecovered: true, another_log: false };
        for (name, _, answer) in answers.iter().filter(|(_, keeps, _)| *keeps == Keeps::Nothing) {
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
        let leaves = Leaves {
            index: if self.oracle.rewrites(&was, true) { leave } else { Leave::Never },
            pages: if self.oracle.rewrites(&was, false) { leave } else { Leave::Never },
        };
        self.another_log |= !was.is_empty() && self.oracle.is_named_otherwise(&was);
        self.ask_all(&requests, leaves)?;
        if hidden {
            let said = self.scrub();
            self.ask_all(&requests, Leaves::NONE).map_err(|failure| {
                let words = format!("{}; {said}", failure.words);
                Failure { what: What::WrongAfterScrub, words, ..failure }
            })?;
        }
        self.untouched(&before)
    }

    /// Asks every side all of it: a failure names all that are wrong.
    fn ask_all(&mut self, requests: &[PageRequest], leaves: Leaves) -> Result<(), Failure> {
        let mut failures: Vec<Failure> = Vec::new();
        for number in 0..self.sides.len() {
            failures.extend(self.ask_one(number, requests, leaves).err());
        }
        let who: Vec<String> = failures.iter().map(|failure| failure.who.clone()).collect();
        match failures.into_iter().next() {
            Some(first) => Err(Failure { who: who.join("; "), ..first }),
            None => Ok(()),
        }
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

    /// Asks one side all of it, in an order of its own: what a page makes it look at must not be what the next one needs.
    fn ask_one(&mut self, number: usize, requests: &[PageRequest], leaves: Leaves) -> Result<(), Failure> {
        let leave = match self.sides[number].side.keeps() {
            Keeps::Nothing => Leave::Never,
            Keeps::Index => leaves.index,
            Keeps::Pages => leaves.pages,
        };
        let mut asking = Asking { leave, wrongs: 0, number };
        let mut asked: Vec<(PageRequest, Option<String>)> =
            requests.iter().map(|request| (request.clone(), None)).collect();
        asked.retain(|(request, _)| self.sides[number].side.takes(request));
        asked.extend(self.sides[number].cursor.take());
        for place in (1..asked.len()).rev() {
            asked.swap(place, usize::try_from(self.random.below(place as u64 + 1)).unwrap());
        }
        for (request, cursor) in asked {
            let old = matches!(request.position, Position::After(_));
            let excuses = Excuses { another_log: old && self.another_log, ..Excuses::default() };
            let answer = self.ask_until_right(&mut asking, &request, cursor.as_deref(), excuses)?;
            if let Some(answer) = answer.filter(|_| request == whole(1, 20)) {
                self.walk(&mut asking, request, answer)?;
            }
        }
        Ok(())
    }

    /// Asks, and once more where the answer is wrong and may be. None where it was never right, and may be so.
    fn ask_until_right(
        &mut self,
        asking: &mut Asking,
        request: &PageRequest,
        cursor: Option<&str>,
        excuses: Excuses,
    ) -> Result<Option<Answer>, Failure> {
        let side = &mut *self.sides[asking.number].side;
        let answer = ask(side, request, cursor);
        let Some(mut words) = wrong(&self.oracle, request, &answer, excuses) else { return Ok(Some(answer)) };
        asking.wrongs += 1;
        let what = match asking.leave {
            Leave::UntilScrubbed => return Ok(None),
            Leave::Never => What::WrongAtOnce,
            Leave::Once => What::WrongTwice,
        };
        if asking.leave == Leave::Once && asking.wrongs == 1 {
            let answer = ask(side, request, cursor);
            match wrong(&self.oracle, request, &answer, excuses) {
                None => return Ok(Some(answer)),
                Some(again) => words = again,
            }
        }
        let name = side.name();
        let request = serde_json::to_string(request).unwrap();
        Err(self.failure(what, &name, format!("{request}: {words}")))
    }

    /// Walks by cursor from a page that was answered, and keeps the first cursor for what comes after the next change.
    fn walk(
        &mut self,
        asking: &mut Asking,
        mut request: PageRequest,
        mut answer: Answer,
    ) -> Result<(), Failure> {
        let up_to = self.oracle.largest();
        let mut kept = None;
        for _ in 0..WALK {
            let Answer::Page { events, next } = &answer else { break };
            let Some(last) = events.last().filter(|_| events.len() == request.page_size as usize) else {
                break;
            };
            request = after(&request, (last.created_at, last.id), up_to);
            if !self.sides[asking.number].side.takes(&request) {
                break;
            }
            let next = next.clone();
            let more = self.ask_until_right(asking, &request, next.as_deref(), Excuses::default())?;
            kept = kept.or_else(|| Some((request.clone(), next)));
            let Some(more) = more else { break };
            answer = more;
        }
        self.sides[asking.number].cursor = kept;
        Ok(())
    }
}
