//! `scratch`: shows what strategies keep in the cache folder, or removes it.

use std::path::Path;
use std::time::SystemTime;

use clap::Subcommand;
use serde::Serialize;

use crate::args::Common;
use crate::report::{self, Block, Cell, Document, Level, Section, grouped};
use crate::verbs::document;
use crate::verbs::output::Output;
use keyhole_log::error::Error;
use keyhole_log::quarantine::Summary;
use keyhole_log::visible::visible;
use keyhole_runtime::policy::Policy;
use keyhole_runtime::scratch::Verdict;
use keyhole_runtime::scratch::kept::{self, Kept};
use keyhole_service::decisions::{Decision, Decisions, Event};

/// The fewest digits of a digest that name a scratch: fewer could be a word.
const FEWEST_DIGITS: usize = 4;

/// The verbs of `scratch`.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Say what is kept: of which strategy and log, how large, when it was last used, and whether it is now.
    List,
    /// Compare scratch with its log, event by event, and let go of what differs. `serve` does that all the time.
    Scrub {
        /// A strategy's name, the first digits of its digest, or the name of a folder, as `list` shows them; all, if
        /// none is named.
        name: Option<String>,
        /// All that NAME fits.
        #[arg(long)]
        all: bool,
    },
    /// Let go of scratch that nobody uses. It is filled anew when its strategy is next asked for a page.
    Drop {
        /// A strategy's name, the first digits of its digest, or the name of a folder, as `list` shows them.
        #[arg(required_unless_present = "all")]
        name: Option<String>,
        /// All that NAME fits, or without NAME all that is kept.
        #[arg(long)]
        all: bool,
    },
}

/// Runs the verb.
pub fn run(common: &Common, verb: Verb, output: &mut Output) -> Result<u8, Error> {
    let cache = common.cache_folder()?;
    match verb {
        Verb::List => {
            let total = Policy::load(common.policy.as_deref())?.scratch.total;
            list(output, common, &cache, total)
        }
        Verb::Drop { name, all } => remove(output, common, &cache, name.as_deref(), all),
        Verb::Scrub { name, all } => scrub(output, common, &cache, name.as_deref(), all),
    }
}

/// One scratch, as --json has it.
#[derive(Serialize)]
struct Line<'a> {
    folder: String,
    strategies: &'a [String],
    digest: Option<String>,
    log: Option<&'a str>,
    covered: Option<u64>,
    quarantine: Option<&'a Summary>,
    bytes: u64,
    last_used: String,
    in_use: bool,
    trouble: Option<&'a str>,
}

/// What `list --json` prints.
#[derive(Serialize)]
struct Listed<'a> {
    cache: &'a Path,
    bytes: u64,
    total: u64,
    scratch: Vec<Line<'a>>,
}

/// What `drop --json` prints.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are those of the JSON")]
struct Dropped<'a> {
    cache: &'a Path,
    bytes: u64,
    dropped: Vec<Line<'a>>,
    in_use: Vec<Line<'a>>,
}

/// One comparison, as --json has it.
#[derive(Serialize)]
struct Outcome<'a> {
    #[serde(flatten)]
    of: Line<'a>,
    compared: Option<u64>,
    differs: Option<String>,
    faults: u64,
    lines: Vec<String>,
    passed_over: Option<String>,
}

/// What `scrub --json` prints.
#[derive(Serialize)]
struct Scrubbed<'a> {
    cache: &'a Path,
    scratch: Vec<Outcome<'a>>,
}

fn scrub(
    output: &mut Output,
    common: &Common,
    cache: &Path,
    name: Option<&str>,
    all: bool,
) -> Result<u8, Error> {
    let kept = chosen(kept::list(cache)?, cache, name, all)?;
    let (mut compared, mut reasons) = (Vec::new(), Vec::new());
    for kept in &kept {
        let verdict = kept.scrub()?;
        let mut line = Outcome {
            of: line(kept),
            compared: None,
            differs: None,
            faults: 0,
            lines: Vec::new(),
            passed_over: None,
        };
        match verdict {
            Verdict::Fits { events, faults, count } => {
                line.compared = Some(events);
                line.faults = count;
                if let Some(told) = told(&faults, count) {
                    record(common, kept, Event::Payload, &told)?;
                    reasons.push(Cell::bad(format!("{}: {told}", kept.name())));
                }
                line.lines = faults;
            }
            Verdict::Differs(why) => {
                record(common, kept, Event::Refill, &format!("scratch was let go of: {why}"))?;
                reasons.push(Cell::bad(format!("{}: {why}", kept.name())));
                line.differs = Some(why);
            }
            Verdict::PassedOver(why) => line.passed_over = Some(why),
        }
        compared.push(line);
    }
    let rows = kept.iter().zip(&compared).map(|(kept, line)| {
        let [whose, log] = match &kept.about {
            Ok(about) => [about.strategies.join(", ").into(), about.log.as_str().into()],
            Err(why) => [Cell::warn(why.as_str()), "".into()],
        };
        let outcome = match (&line.compared, &line.differs, &line.passed_over) {
            (Some(events), ..) if line.faults > 0 => Cell::bad(format!(
                "{} events as in the log, {} of them without a payload line of their own, or with another one than before",
                grouped(*events),
                grouped(line.faults)
            )),
            (Some(events), ..) => Cell::good(format!("{} events as in the log", grouped(*events))),
            (_, Some(_), _) => Cell::bad("differs: let go"),
            (_, _, why) => Cell::warn(format!("passed over: {}", why.as_deref().unwrap_or_default())),
        };
        vec![whose, log, outcome, kept.name().into()]
    });
    let (level, words) = match (reasons.is_empty(), kept.is_empty()) {
        (true, true) => (Level::Good, "nothing is kept"),
        (true, false) => (Level::Good, "nothing differs"),
        (false, _) => (Level::Bad, "a log is not what it was"),
    };
    let code = u8::from(!reasons.is_empty());
    let verdict = Some(report::Verdict { level, words: words.to_owned(), reasons });
    let mut section = Section::new(format!("{} compared with their logs", kept.len()));
    if !kept.is_empty() {
        section = section.with(Block::table(&["strategy", "log", "outcome", "folder"], rows.collect()));
    }
    let document = Document { title: title(cache), verdict, sections: vec![section] };
    document::show(output, common, &document, &Scrubbed { cache, scratch: compared })?;
    Ok(code)
}

/// What was found wrong with payload lines, in words; None where nothing was.
fn told(faults: &[String], count: u64) -> Option<String> {
    let more = count.saturating_sub(faults.len() as u64);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    (count > 0).then(|| format!("{}{more}", faults.join("; ")))
}

/// Records what was found.
fn record(common: &Common, kept: &Kept, event: Event, why: &str) -> Result<(), Error> {
    let about = kept.about.as_ref().ok();
    let strategy = about.and_then(|about| about.strategies.last()).cloned().unwrap_or_default();
    let decision = Decision {
        digest: about.map(|about| format!("sha256:{}", about.digest)),
        policy: Policy::load(common.policy.as_deref())?.digest,
        ..Decision::new(event, strategy, why)
    };
    Decisions::open(&common.state_folder()?).record(&decision).map(drop)
}

fn list(output: &mut Output, common: &Common, cache: &Path, total: u64) -> Result<u8, Error> {
    let mut kept = kept::list(cache)?;
    // For people the last used first; what goes first stands at the end.
    kept.reverse();
    let listed = Listed { cache, bytes: bytes(&kept), total, scratch: kept.iter().map(line).collect() };
    let mut heading = format!(
        "{} kept, {} bytes; scratch.total is {}",
        kept.len(),
        grouped(listed.bytes),
        grouped(listed.total)
    );
    if kept.is_empty() {
        heading += ": no strategy with an index was asked for a page yet, or what it kept was dropped";
    }
    let mut section = Section::new(heading);
    if !kept.is_empty() {
        section = section.with(table(&kept));
    }
    let sections = [section].into_iter().chain(quarantine(&kept)).collect();
    let document = Document { title: title(cache), verdict: None, sections };
    document::show(output, common, &document, &listed)?;
    Ok(0)
}

fn remove(
    output: &mut Output,
    common: &Common,
    cache: &Path,
    name: Option<&str>,
    all: bool,
) -> Result<u8, Error> {
    let mut chosen = chosen(kept::list(cache)?, cache, name, all)?;
    let (mut dropped, mut in_use) = (Vec::new(), Vec::new());
    for mut kept in chosen.drain(..) {
        kept.in_use = !kept.remove()?;
        if kept.in_use { in_use.push(kept) } else { dropped.push(kept) }
    }
    let result = Dropped {
        cache,
        bytes: bytes(&dropped),
        dropped: dropped.iter().map(line).collect(),
        in_use: in_use.iter().map(line).collect(),
    };
    let mut sections = Vec::new();
    for (what, kept) in [("let go", &dropped), ("in use, so it stays", &in_use)] {
        if !kept.is_empty() {
            let heading = format!("{what}: {}, {} bytes", kept.len(), grouped(bytes(kept)));
            sections.push(Section::new(heading).with(table(kept)));
        }
    }
    let verdict = if in_use.is_empty() {
        let words = if dropped.is_empty() { "nothing is kept" } else { "let go" };
        report::Verdict { level: Level::Good, words: words.to_owned(), reasons: Vec::new() }
    } else {
        let advice = "end the process that has it open, then try again; `fuser FOLDER/in-use` names it";
        report::Verdict { level: Level::Bad, words: "in use".to_owned(), reasons: vec![Cell::bad(advice)] }
    };
    let document = Document { title: title(cache), verdict: Some(verdict), sections };
    document::show(output, common, &document, &result)?;
    Ok(u8::from(!in_use.is_empty()))
}

/// Those that are meant: one, unless all that fit are.
fn chosen(kept: Vec<Kept>, cache: &Path, name: Option<&str>, all: bool) -> Result<Vec<Kept>, Error> {
    let Some(name) = name else { return Ok(kept) };
    let known = described(&kept);
    let (mut chosen, others): (Vec<Kept>, Vec<Kept>) =
        kept.into_iter().partition(|kept| is_called(kept, name));
    if chosen.is_empty() {
        chosen = others.into_iter().filter(|kept| has_digest(kept, name)).collect();
    }
    match chosen.len() {
        0 if known.is_empty() => Err(Error::bad_request(format!(
            "there is no scratch {name:?}: nothing is kept in {}",
            kept::root(cache).display()
        ))),
        0 => Err(Error::bad_request(format!("there is no scratch {name:?}: there is {known}"))),
        1 => Ok(chosen),
        _ if all => Ok(chosen),
        several => Err(Error::bad_request(format!(
            "{name:?} fits {several}: {}; say which by its folder, or --all",
            described(&chosen)
        ))),
    }
}

fn is_called(kept: &Kept, name: &str) -> bool {
    let named = |about: &kept::About| about.strategies.iter().any(|strategy| strategy == name);
    kept.name() == name || kept.about.as_ref().is_ok_and(named)
}

fn has_digest(kept: &Kept, name: &str) -> bool {
    let digits = name.strip_prefix("sha256:").unwrap_or(name).to_ascii_lowercase();
    digits.len() >= FEWEST_DIGITS && kept.about.as_ref().is_ok_and(|about| about.digest.starts_with(&digits))
}

/// In words: whose each is, of which log, in which folder.
fn described(kept: &[Kept]) -> String {
    let each = kept.iter().map(|kept| match &kept.about {
        Ok(about) => {
            format!("{} of {} ({})", visible(&about.strategies.join(", ")), visible(&about.log), kept.name())
        }
        Err(_) => kept.name(),
    });
    each.collect::<Vec<_>>().join("; ")
}

fn line(kept: &Kept) -> Line<'_> {
    let about = kept.about.as_ref();
    Line {
        folder: kept.name(),
        strategies: about.map_or(&[], |about| &about.strategies),
        digest: about.ok().map(|about| format!("sha256:{}", about.digest)),
        log: about.ok().map(|about| about.log.as_str()),
        covered: about.ok().map(|about| about.covered),
        quarantine: about.ok().map(|about| &about.quarantine),
        bytes: kept.bytes,
        last_used: when(kept.last_used),
        in_use: kept.in_use,
        trouble: about.err().map(String::as_str),
    }
}

fn table(kept: &[Kept]) -> Block {
    let rows = kept.iter().map(|kept| {
        let [whose, log, covered, odd] = match &kept.about {
            Ok(about) => {
                let odd = match about.quarantine.events {
                    0 => "0".into(),
                    events => Cell::warn(grouped(events)),
                };
                [
                    about.strategies.join(", ").into(),
                    about.log.as_str().into(),
                    grouped(about.covered).into(),
                    odd,
                ]
            }
            Err(why) => [Cell::warn(why.as_str()), "".into(), "".into(), "".into()],
        };
        let in_use = if kept.in_use { Cell::good("yes") } else { "no".into() };
        let (bytes, when) = (grouped(kept.bytes).into(), to_the_minute(kept.last_used).into());
        vec![whose, log, covered, odd, bytes, when, in_use, kept.name().into()]
    });
    let headings =
        ["strategy", "log", "#covered", "#quarantined", "#bytes", "last used (UTC)", "in use", "folder"];
    Block::table(&headings, rows.collect())
}

/// The events that no page shows, of each log once: every scratch of a log finds the same.
fn quarantine(kept: &[Kept]) -> Option<Section> {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    let mut logs: Vec<&str> = Vec::new();
    for about in kept.iter().filter_map(|kept| kept.about.as_ref().ok()) {
        if about.quarantine.events == 0 || logs.contains(&about.log.as_str()) {
            continue;
        }
        logs.push(&about.log);
        for event in &about.quarantine.first {
            let cells = [&event.column, &event.found].map(|text| Cell::from(visible(text)));
            rows.push(
                [about.log.as_str().into(), event.id.to_string().into()].into_iter().chain(cells).collect(),
            );
        }
        let more = about.quarantine.events.saturating_sub(about.quarantine.first.len() as u64);
        if more > 0 {
            rows.push(vec![
                about.log.as_str().into(),
                format!("{} more", grouped(more)).into(),
                "".into(),
                "".into(),
            ]);
        }
    }
    let headings = ["log", "#event", "column", "holds"];
    let heading = "events in quarantine: no page shows them before their writer has mended the cell";
    (!rows.is_empty()).then(|| Section::new(heading).with(Block::table(&headings, rows)))
}

fn title(cache: &Path) -> String {
    format!("scratch in {}", kept::root(cache).display())
}

fn bytes(kept: &[Kept]) -> u64 {
    kept.iter().map(|kept| kept.bytes).sum()
}

/// For people, in UTC.
fn to_the_minute(time: SystemTime) -> String {
    let minute = |time: jiff::Timestamp| time.strftime("%Y-%m-%d %H:%M").to_string();
    jiff::Timestamp::try_from(time).map_or_else(|_| "unknown".to_owned(), minute)
}

/// As JSON has it.
fn when(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_| "unknown".to_owned(), |time| format!("{time:.0}"))
}
