//! Histories: a log that is changed in any way that SQL and a file system allow, between pages of every strategy and of
//! `serve`. No page differs from the live system's for longer than it may, nobody touches a file of the log, and its
//! writer neither fails nor waits.
//!
//! After a change, whoever reads the log itself is right at once. Whoever keeps something that was made from it is
//! right at the latest the second time. Only what looks like an append, new ids at the end and as many events below
//! them as before, may hide a rewrite until the next scrub.
//!
//! `KEYHOLE_HISTORIES=FIRST-LAST` plays the histories of these seeds in full, `KEYHOLE_HISTORY=SEED/CHANGE,…` one that
//! was printed.

mod change;
mod judge;
mod live;
mod oracle;
mod play;
mod shrink;
mod sides;
mod sleeper;
mod stage;

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keyhole_log::grants::Instances;
use keyhole_log::model::PageRequest;
use serde_json::json;

use change::History;
use judge::{Failure, What};
use live::Live;
use sides::{Answer, InProcess, Keeps, Side};
use stage::{Stage, everybody};

use crate::support::Place;

/// Batches of a history of the sample.
const SAMPLE_BATCHES: usize = 2;

/// How far apart the kinds of change are of which each begins a history of the sample.
const SAMPLE_STRIDE: u64 = 3;

/// Failures after which no further history is played, where all are played in full.
const ENOUGH: usize = 40;

/// Ways to fail of which one history each is made short.
const SHORTENED: usize = 3;

/// The histories that are played, and whether in full. Of a sample, each third kind of change begins one.
fn asked_for(kinds: usize) -> (Range<u64>, bool) {
    let Ok(text) = std::env::var("KEYHOLE_HISTORIES") else { return (0..kinds as u64, false) };
    let bounds =
        text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    let (first, last): (u64, u64) = bounds.expect("KEYHOLE_HISTORIES is FIRST-LAST");
    (first..last + 1, true)
}

fn play(stage: &mut Stage, history: &History) -> Result<(), Failure> {
    shrink::surely(|| stage.play(history, everybody(history.by_command)))
}

#[test]
fn whatever_happens_to_a_log_no_page_stays_wrong_and_no_file_or_writer_is_harmed() {
    let mut stage = Stage::new();
    let kinds = stage.kinds();
    if let Ok(text) = std::env::var("KEYHOLE_HISTORY") {
        let history = History::read(&text, &kinds).expect("KEYHOLE_HISTORY is SEED/CHANGE,CHANGE…");
        if let Err(failure) = play(&mut stage, &history) {
            panic!("{failure}");
        }
        return;
    }
    let (seeds, whole) = asked_for(kinds.len());
    let began = Instant::now();
    let stride = if whole { 1 } else { SAMPLE_STRIDE };
    let (next, failures) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut stage = Stage::new();
                loop {
                    let seed = next.fetch_add(stride, SeqCst);
                    if seed >= seeds.end || failures.lock().unwrap().len() >= ENOUGH && whole {
                        break;
                    }
                    let history = History::draw(seed, &kinds);
                    let history = if whole { history } else { history.cut(SAMPLE_BATCHES) };
                    if let Err(failure) = play(&mut stage, &history) {
                        failures.lock().unwrap().push((history, failure));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort_by_key(|(history, failure)| (failure.what, history.seed));
    let played = (next.into_inner().min(seeds.end) - seeds.start).div_ceil(stride);
    println!("{played} histories in {:.0} s, {} of them fail", began.elapsed().as_secs_f64(), failures.len());
    if failures.is_empty() {
        return;
    }
    print!("{}", shrink::table(&failures));
    failures.dedup_by_key(|(_, failure)| failure.what);
    for (history, failure) in failures.into_iter().take(SHORTENED) {
        let (short, failure) = shrink::shortest(&history, failure, |history| play(&mut stage, history));
        println!("\nKEYHOLE_HISTORY={short} repeats this:\n{failure}");
    }
    panic!("histories fail: see above");
}

/// An honest side, and what a test of the tests makes of it.
struct Spoilt {
    honest: InProcess,
    spoil: Spoil,
    first: Option<Answer>,
    holder: Option<Arc<Mutex<Live>>>,
    data: std::path::PathBuf,
}

#[derive(Clone, Copy)]
enum Spoil {
    Nothing,
    /// Answers for ever what it answered first.
    IsStale,
    /// Is wrong once after a change.
    IsStaleOnce,
    /// Leaves a file beside the log.
    LeavesAFile,
    /// Sets the mode of a file of the log.
    SetsAMode,
    /// Writes into a file of the log.
    Writes,
    /// Keeps the log locked for so many milliseconds while it is changed.
    Locks(u64),
}

impl Side for Spoilt {
    fn name(&self) -> String {
        "the spoilt one".to_owned()
    }

    fn keeps(&self) -> Keeps {
        Keeps::Pages
    }

    fn answer(&mut self, request: &PageRequest, cursor: Option<&str>) -> Answer {
        let mut answer = self.honest.answer(request, cursor);
        let (database, beside) = (self.data.join("audit.db"), self.data.join("audit.db-shm"));
        match self.spoil {
            Spoil::Nothing | Spoil::Locks(_) => {}
            Spoil::IsStale => {
                if *request == oracle::whole(1, 20) {
                    answer = self.first.get_or_insert(answer).clone();
                }
            }
            Spoil::IsStaleOnce => {
                if let Some(first) = self.first.take() {
                    answer = first;
                }
            }
            Spoil::LeavesAFile => std::fs::write(beside, b"").unwrap(),
            Spoil::SetsAMode => {
                use std::os::unix::fs::PermissionsExt;
                std::fs::set_permissions(database, std::fs::Permissions::from_mode(0o600)).unwrap();
            }
            Spoil::Writes => {
                // Not the database, whose locks would go with the file.
                let payloads = std::fs::File::options().append(true).open(self.data.join("payloads.jsonl"));
                std::io::Write::write_all(&mut payloads.unwrap(), b"\n").unwrap();
            }
        }
        answer
    }

    fn before_change(&mut self) {
        match self.spoil {
            Spoil::IsStaleOnce => self.first = Some(self.honest.answer(&oracle::whole(1, 20), None)),
            Spoil::Locks(ms) => {
                let holder =
                    Arc::clone(self.holder.get_or_insert_with(|| Arc::new(Mutex::new(Live::start()))));
                holder.lock().unwrap().order(&json!({"do": "hold", "folder": self.data})).unwrap();
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(ms));
                    holder.lock().unwrap().order(&json!({"do": "release"})).unwrap();
                });
            }
            _ => {}
        }
    }
}

fn spoilt(spoil: Spoil) -> impl FnOnce(&Arc<Place>, &Path) -> Vec<Box<dyn Side>> {
    move |place, data| {
        let honest = InProcess::of("native-baseline", Instances::Fresh, data, &place.path("cache-workers"));
        vec![Box::new(Spoilt { honest, spoil, first: None, holder: None, data: data.to_owned() })]
    }
}

/// What comes of one change before one spoilt side.
fn after(change: &str, spoil: Spoil, timeout: f64) -> Result<(), Failure> {
    let mut stage = Stage::new();
    stage.timeout = timeout;
    shrink::surely(|| stage.play(&History::of(&[change]), spoilt(spoil)))
}

#[test]
fn the_histories_themselves_find_a_stale_answer_and_name_who_gave_it() {
    for (change, what) in [("append", What::WrongAtOnce), ("delete-newest", What::WrongTwice)] {
        let failure = after(change, Spoil::IsStale, 5.0).unwrap_err();
        assert_eq!((failure.what, failure.who.as_str()), (what, "the spoilt one"), "{failure}");
        assert!(failure.words.contains("instead of"), "{failure}");
        assert!(failure.to_string().contains(&format!("[{change}]")), "{failure}");
    }
}

#[test]
fn the_histories_themselves_find_a_file_that_was_touched_and_name_it() {
    for (spoil, words) in [
        (Spoil::LeavesAFile, "audit.db-shm: not there before, now owner"),
        (Spoil::SetsAMode, "mode 100600"),
        (Spoil::Writes, "payloads.jsonl: owner"),
    ] {
        let failure = after("append", spoil, 5.0).unwrap_err();
        assert!(failure.what == What::FilesChanged && failure.words.contains(words), "{failure}");
    }
}

#[test]
fn the_histories_themselves_find_a_writer_that_failed_or_waited() {
    let failure = after("append", Spoil::Locks(2_000), 0.2).unwrap_err();
    assert!(failure.what == What::WriterFailed && failure.words.contains("locked"), "{failure}");
    let failure = after("append", Spoil::Locks(2_000), 30.0).unwrap_err();
    assert!(failure.what == What::WriterWaited && failure.words.contains("waited"), "{failure}");
}

#[test]
fn the_histories_themselves_let_who_is_right_pass_and_who_is_wrong_once() {
    for (change, spoil) in [("append", Spoil::Nothing), ("delete-newest", Spoil::IsStaleOnce)] {
        if let Err(failure) = after(change, spoil, 5.0) {
            panic!("{failure}");
        }
    }
    let failure = after("append", Spoil::IsStaleOnce, 5.0).unwrap_err();
    assert_eq!(failure.what, What::WrongAtOnce, "what is appended is seen at once: {failure}");
}

/// A failing history is made as short as it can be, and what is printed of it plays it again.
#[test]
fn the_histories_themselves_are_made_short_and_can_be_repeated() {
    let mut stage = Stage::new();
    let kinds = stage.kinds();
    let fails = |history: &History| {
        let deletes =
            |batch: &change::Batch| batch.changes.iter().position(|change| change.kind.starts_with("delete"));
        let after = history.batches.iter().position(|batch| deletes(batch).is_some());
        after.map_or(Ok(()), |after| {
            let (who, words, did) = Default::default();
            Err(Failure { what: What::WrongTwice, who, words, after, did })
        })
    };
    let histories =
        (0..200).map(|seed| History::draw(seed, &kinds)).filter(|history| history.changes().len() > 6);
    let mut shortened = 0;
    for history in histories {
        let Err(failure) = fails(&history) else { continue };
        let (short, _) = shrink::shortest(&history, failure, fails);
        assert_eq!(short.changes().len(), 1, "{short}");
        let again = History::read(&short.to_string(), &kinds).unwrap();
        assert_eq!(format!("{:?}", again.batches), format!("{:?}", short.batches));
        shortened += 1;
    }
    assert!(shortened > 20, "{shortened}");
}
