//! Reads the decision log from its beginning and finds what was done to it.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::file::{Decisions, Line};
use super::record::{Head, Record, Torn};
use keyhole_log::error::Error;

/// Faults that are told apart; one is enough to distrust the log.
const MOST_FAULTS: usize = 100;

/// What a check found.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// Whether nothing was found.
    pub sound: bool,
    /// How many records there are.
    pub records: u64,
    /// The last record's place, to be kept elsewhere; None where there is none, or the log is not sound.
    pub head: Option<String>,
    /// What was found, in the order of the file; after a hundred no more are told.
    pub faults: Vec<Fault>,
    /// Remains of appends that were cut short, each passed over by a record.
    pub repaired: u64,
}

/// One place where the log is not as it was written.
#[derive(Debug, Serialize)]
pub struct Fault {
    /// The number of the record that should stand there.
    pub seq: u64,
    /// The line in the file, from 1.
    pub line: u64,
    /// Where that line begins; 0 and line 0 where it is not about a line.
    pub byte: u64,
    /// What is wrong.
    pub what: String,
    /// Whether it is an unfinished last line, which a crash leaves as well.
    pub torn: bool,
}

/// Checks the whole log, and that it holds the records that these heads name. Nobody appends meanwhile.
pub fn check(log: &Decisions, heads: &[Head]) -> Result<Checked, Error> {
    let _held = log.held()?;
    check_held(log, heads)
}

/// Checks the whole log for a caller who holds its lock already.
pub(super) fn check_held(log: &Decisions, heads: &[Head]) -> Result<Checked, Error> {
    let mut walk = Walk { heads: heads.to_vec(), ..Walk::default() };
    match log.kept_head() {
        Ok(head) => walk.heads.extend(head),
        Err(Error::BadDecisions { what, .. }) => walk.fault(0, 0, format!("decisions.head: {what}"), false),
        Err(error) => return Err(error),
    }
    let mut lines = log.lines()?;
    for line in &mut lines {
        walk.line(&line?);
    }
    Ok(walk.end(lines.number + 1, lines.end))
}

/// Hands over every record that can be read, in the order of the file.
pub fn each(log: &Decisions, mut seen: impl FnMut(Record)) -> Result<(), Error> {
    let _held = log.held()?;
    for line in log.lines()? {
        if let Ok(record) = Record::parse(&line?.bytes) {
            seen(record);
        }
    }
    Ok(())
}

/// Lines that are no records, one after the other: the next record may pass over them.
#[derive(Default)]
struct Odd {
    lines: Vec<OddLine>,
    hasher: Sha256,
    bytes: u64,
}

struct OddLine {
    number: u64,
    at: u64,
    why: &'static str,
    /// The place that it claims, where that can still be read.
    claimed: Option<Head>,
    whole: bool,
}

impl Odd {
    fn push(&mut self, line: &Line, why: &'static str) {
        if !self.lines.is_empty() {
            self.hasher.update(b"\n");
            self.bytes += 1;
        }
        self.hasher.update(&line.bytes);
        self.bytes += line.bytes.len() as u64;
        let claimed = serde_json::from_slice::<Record>(&line.bytes).ok().map(|record| record.head());
        self.lines.push(OddLine { number: line.number, at: line.at, why, claimed, whole: line.whole });
    }

    /// What a record that passes over these lines says of them.
    fn as_torn(&self) -> Option<Torn> {
        let byte = self.lines.first()?.at;
        let sha256 = keyhole_log::hash::hex(&self.hasher.clone().finalize());
        Some(Torn { byte, bytes: self.bytes, sha256 })
    }
}

#[derive(Default)]
struct Walk {
    /// The last record's place. Its hash is empty where the line could not be read.
    last: Option<Head>,
    records: u64,
    repaired: u64,
    faults: Vec<Fault>,
    /// Heads that were not met yet.
    heads: Vec<Head>,
    odd: Odd,
}

impl Walk {
    fn line(&mut self, line: &Line) {
        match Record::parse(&line.bytes) {
            Ok(record) => {
                self.settle(Some(&record), line.number, line.at);
                self.record(line, &record);
                if !line.whole {
                    let what =
                        "the newline after the last record is gone: an append was cut short, or the file was";
                    self.fault(line.number, line.at, what.to_owned(), true);
                }
            }
            Err(why) => self.odd.push(line, why),
        }
    }

    /// Judges the lines that are no records, now that the next record is known, or that there is none.
    fn settle(&mut self, next: Option<&Record>, number: u64, at: u64) {
        let odd = std::mem::take(&mut self.odd);
        let torn = next.and_then(|record| record.torn.as_ref());
        let follows = next.is_some_and(|record| {
            let before = self.last.clone().unwrap_or_else(Head::start);
            record.seq == before.seq + 1 && record.prev == before.hash
        });
        if torn.is_some() && odd.as_torn().as_ref() == torn && follows {
            self.repaired += 1;
            return;
        }
        if torn.is_some() && odd.lines.is_empty() {
            let what = "it passes over an append that was cut short, but none is there".to_owned();
            self.fault(number, at, what, false);
        }
        for line in odd.lines {
            let torn = next.is_none() && !line.whole;
            let what = if torn {
                format!("{}, and its end is missing: an append was cut short, or the file was", line.why)
            } else {
                line.why.to_owned()
            };
            self.fault(line.number, line.at, what, torn);
            // What follows is held against what the line claims to be: one edit is one fault.
            let due = self.last.as_ref().map_or(0, |last| last.seq) + 1;
            let claimed = line.claimed.filter(|claimed| claimed.seq >= due);
            self.last = Some(claimed.unwrap_or(Head { seq: due, hash: String::new() }));
        }
    }

    /// Holds a record against the one before it, and against the heads.
    fn record(&mut self, line: &Line, record: &Record) {
        let before = self.last.clone().unwrap_or_else(Head::start);
        let due = before.seq + 1;
        let follows = record.prev == before.hash || before.hash.is_empty();
        if record.seq != due || !follows {
            let what = match record.seq {
                seq if seq > due => format!("records {due} to {} were cut out or moved", seq - 1),
                seq if seq < due => format!("record {seq} stands here again or was moved"),
                seq => format!("record {seq} does not follow the record before it"),
            };
            self.fault(line.number, line.at, what, false);
        }
        let mut wrong = Vec::new();
        self.heads.retain(|head| {
            let met = head.seq == record.seq;
            if met && head.hash != record.hash {
                wrong.push(format!("record {} is not the one that was kept as a head", head.seq));
            }
            !met
        });
        for what in wrong {
            self.fault(line.number, line.at, what, false);
        }
        self.records += 1;
        self.last = Some(record.head());
    }

    fn fault(&mut self, line: u64, byte: u64, what: String, torn: bool) {
        if self.faults.len() < MOST_FAULTS {
            let seq = self.last.as_ref().map_or(0, |last| last.seq) + 1;
            self.faults.push(Fault { seq, line, byte, what, torn });
        }
    }

    /// The end of the log, where a line of that number would begin.
    fn end(mut self, number: u64, at: u64) -> Checked {
        self.settle(None, number, at);
        let last = self.last.as_ref().map_or(0, |last| last.seq);
        for head in std::mem::take(&mut self.heads) {
            let what = if head.seq > last {
                format!("the log ends with record {last}, but record {} was kept as its head", head.seq)
            } else {
                format!("record {}, which was kept as a head, is not there", head.seq)
            };
            self.fault(number, at, what, false);
        }
        let sound = self.faults.is_empty();
        Checked {
            sound,
            records: self.records,
            head: self.last.filter(|_| sound).map(|head| head.to_string()),
            faults: self.faults,
            repaired: self.repaired,
        }
    }
}
