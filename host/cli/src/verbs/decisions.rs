//! `decisions`: shows the decision log, and checks that it is as it was written.

use clap::Subcommand;
use serde::Serialize;

use crate::args::Common;
use crate::report::{Block, Cell, Document, Level, Section, Verdict};
use crate::verbs::document;
use crate::verbs::output::Output;
use keyhole_log::error::Error;
use keyhole_service::decisions::{Checked, Decisions, Event, Head, Record, check, each};

/// Options of `decisions`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to do with the log.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs of `decisions`.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Print the last decisions.
    Show {
        /// How many.
        #[arg(long, default_value_t = 50, value_name = "N")]
        last: usize,
    },
    /// Find any edit, cut, insertion or reordering, and print the head to keep elsewhere.
    Check {
        /// A head that was kept elsewhere: the log must still hold that record. May be said again.
        #[arg(long, value_name = "SEQ:HASH")]
        head: Vec<Head>,
    },
}

/// Runs the verb.
pub fn run(common: &Common, args: &Args, output: &mut Output) -> Result<u8, Error> {
    let log = Decisions::open(&common.state_folder()?);
    match &args.verb {
        Verb::Show { last } => show(output, common, &log, *last),
        Verb::Check { head } => {
            let checked = check(&log, head)?;
            document::show(output, common, &checked_document(&log, &checked), &checked)?;
            Ok(u8::from(!checked.sound))
        }
    }
}

/// What `show --json` prints.
#[derive(Serialize)]
struct Shown<'a> {
    sound: bool,
    records: &'a [Record],
}

fn show(output: &mut Output, common: &Common, log: &Decisions, last: usize) -> Result<u8, Error> {
    let mut records = std::collections::VecDeque::new();
    each(log, |record| {
        if records.len() == last {
            records.pop_front();
        }
        if last > 0 {
            records.push_back(record);
        }
    })?;
    let records: Vec<Record> = records.into();
    let checked = check(log, &[])?;
    let rows = records.iter().map(|record| {
        let what = match record.count {
            Some(count) => format!("{} ({count} times)", record.reason),
            None => record.reason.clone(),
        };
        vec![
            record.seq.to_string().into(),
            record.at.as_str().into(),
            Cell::new(level(record.event), name(record.event)),
            record.strategy.as_deref().unwrap_or("").into(),
            record.digest.as_deref().map(short).unwrap_or_default().into(),
            record.who.as_str().into(),
            what.into(),
        ]
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    let shown = format!("{} of {} decisions", rows.len(), checked.records);
    let mut section = Section::new(match (checked.records, last) {
        (0, _) => format!("{shown}: no strategy that is not built in was loaded, granted or judged yet"),
        (_, 0) => format!("{shown}: --last 0 shows none"),
        _ => shown,
    });
    if !rows.is_empty() {
        let headings = ["#seq", "when", "what", "strategy", "digest", "who", "why"];
        section = section.with(Block::table(&headings, rows));
    }
    let document = Document {
        title: format!("decisions in {}", log.path().display()),
        verdict: (!checked.sound).then(|| Verdict {
            level: Level::Bad,
            words: "the log is broken".to_owned(),
            reasons: vec![Cell::bad("see `keyhole decisions check`")],
        }),
        sections: vec![section],
    };
    document::show(output, common, &document, &Shown { sound: checked.sound, records: &records })?;
    Ok(u8::from(!checked.sound))
}

fn checked_document(log: &Decisions, checked: &Checked) -> Document {
    let (level, words) = match (checked.sound, checked.records) {
        (true, 0) => (Level::Good, "nothing was recorded yet".to_owned()),
        (true, 1) => (Level::Good, "sound: 1 record".to_owned()),
        (true, records) => (Level::Good, format!("sound: {records} records")),
        (false, _) => (Level::Bad, "broken".to_owned()),
    };
    let reasons = checked.faults.iter().map(|fault| {
        Cell::bad(match fault.line {
            0 => fault.what.clone(),
            line => format!("at record {}, line {line}, byte {}: {}", fault.seq, fault.byte, fault.what),
        })
    });
    let mut facts = Vec::new();
    if let Some(head) = &checked.head {
        facts.push(("head".to_owned(), Cell::from(head.as_str())));
        let keep = "keep it where nobody who can write this file can write; then `decisions check --head` \
                    finds a log that was cut or written anew";
        facts.push((String::new(), keep.into()));
    }
    if checked.repaired > 0 {
        let words = format!("{} appends that were cut short, each passed over by a record", checked.repaired);
        facts.push(("remains".to_owned(), words.into()));
    }
    let section = Section::new("").with(Block::KeyValues(facts));
    Document {
        title: format!("decisions in {}", log.path().display()),
        verdict: Some(Verdict { level, words, reasons: reasons.collect() }),
        sections: if checked.sound && checked.records > 0 { vec![section] } else { Vec::new() },
    }
}

fn name(event: Event) -> &'static str {
    match event {
        Event::Load => "load",
        Event::Refuse => "refuse",
        Event::Grant => "grant",
        Event::Deny => "deny",
        Event::Stage => "stage",
        Event::Swap => "swap",
        Event::Verdict => "verdict",
        Event::Refill => "refill",
        Event::Payload => "payload",
        Event::Repair => "repair",
    }
}

fn level(event: Event) -> Level {
    match event {
        Event::Refuse | Event::Deny | Event::Refill | Event::Payload | Event::Repair => Level::Warn,
        Event::Load | Event::Grant | Event::Stage | Event::Swap | Event::Verdict => Level::Plain,
    }
}

/// The first digits of a digest: enough to tell strategies apart by eye.
fn short(digest: &str) -> String {
    digest.strip_prefix("sha256:").unwrap_or(digest).chars().take(12).collect()
}
