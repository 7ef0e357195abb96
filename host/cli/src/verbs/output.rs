//! Where results, remarks, errors and progress go.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Common;
use keyhole_log::error::Error;

/// Work that is over sooner shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a failed write to standard output is called in an error.
pub const STDOUT: &str = "standard output";

/// Results: standard output, or the file of --out.
pub struct Output {
    writer: BufWriter<Box<dyn Write>>,
    /// What it is called in an error.
    name: PathBuf,
    json: bool,
}

impl Output {
    /// Opens it.
    pub fn open(common: &Common) -> Result<Self, Error> {
        let (name, writer): (PathBuf, Box<dyn Write>) = match &common.out {
            None => (STDOUT.into(), Box::new(std::io::stdout())),
            Some(path) => {
                (path.clone(), Box::new(File::create(path).map_err(|source| Error::io(path, source))?))
            }
        };
        Ok(Self { writer: BufWriter::new(writer), name, json: common.json })
    }

    /// Writes bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.writer.write_all(bytes).map_err(|source| Error::io(&self.name, source))
    }

    /// Writes a line.
    pub fn line(&mut self, text: &str) -> Result<(), Error> {
        self.write(text.as_bytes())?;
        self.write(b"\n")
    }

    /// Writes a value as JSON, for people and machines to read.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(value).map_err(|error| Error::Engine(error.to_string()))?;
        self.line(&text)
    }

    /// Writes a result as the options ask, as JSON or as text, and flushes.
    pub fn show(&mut self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Error> {
        if self.json {
            self.json(value)?;
        } else {
            self.write(text().as_bytes())?;
        }
        self.flush()
    }

    /// Flushes: what was written is with whoever reads it.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.writer.flush().map_err(|source| Error::io(&self.name, source))
    }
}

/// A remark for people, on standard error.
pub fn remark(common: &Common, text: &str) {
    if !common.quiet {
        eprintln!("{text}");
    }
}

/// Prints an error as the options ask: for people, or as {code, message, where, fix}; where an event cannot be shown, with
/// {event, shown_before, start, next}.
pub fn print_error(error: &Error, json: bool) {
    let place = error.place().map(|path| path.display().to_string());
    let message = error.to_string();
    // Often the message names it.
    let place = place.filter(|place| json || !message.contains(place));
    let mut problem = json!({ "code": error.code(), "message": message, "where": place, "fix": error.fix() });
    if let Some(lines) = error.lines() {
        problem["lines"] = lines.into();
    }
    if let Some(event) = error.hidden() {
        problem["event"] = event.into();
    }
    if let Some((place, way_on)) = error.unshown().and_then(|place| Some((place, place.way_on.as_ref()?))) {
        problem["shown_before"] = place.before.into();
        problem["start"] = way_on.start.as_str().into();
        problem["next"] = way_on.next.as_str().into();
    }
    print_problem(&problem, json);
}

/// Prints what went wrong from an object of `code`, `message`, `where`, `fix`, and `lines` of a policy.
pub(super) fn print_problem(problem: &Value, json: bool) {
    if json {
        eprintln!("{problem}");
        return;
    }
    let text = |field: &str| problem.get(field).and_then(Value::as_str);
    eprintln!("keyhole: {}", text("message").unwrap_or_default());
    for (label, field) in [("where", "where"), ("to mend it", "fix")] {
        if let Some(text) = text(field) {
            eprintln!("  {label}: {text}");
        }
    }
    if let (Some(before), Some(start)) = (problem.get("shown_before").and_then(Value::as_u64), text("start"))
        && before > 0
    {
        eprintln!("  the {before} before it: --after {start} --page-size {before}");
    }
    if let Some(next) = text("next") {
        eprintln!("  the walk goes on with: --after {next}");
    }
    if let Some(lines) = text("lines") {
        eprintln!("{}", lines.trim_end());
    }
}

/// A progress bar on standard error, if that is a terminal. It appears once the work has taken a second, and
/// goes when all is done, or when it is dropped.
pub struct Bar {
    message: String,
    wanted: bool,
    began: Instant,
    drawn: Mutex<Option<ProgressBar>>,
}

impl Bar {
    /// A bar that does not show yet.
    pub fn new(common: &Common, message: impl Into<String>) -> Self {
        let wanted = !common.quiet && std::io::stderr().is_terminal();
        Self { message: message.into(), wanted, began: Instant::now(), drawn: Mutex::default() }
    }

    /// So much is done, of so much.
    pub fn at(&self, done: u64, all: u64) {
        if !self.wanted || self.began.elapsed() < PATIENCE {
            return;
        }
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if done >= all {
            // What follows, if anything does, gets a bar of its own.
            clear(drawn.take());
            return;
        }
        let bar = drawn.get_or_insert_with(|| {
            let bar = ProgressBar::new(all).with_message(self.message.clone());
            match ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}") {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        bar.set_length(all);
        bar.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        clear(self.drawn.get_mut().unwrap_or_else(PoisonError::into_inner).take());
    }
}

fn clear(bar: Option<ProgressBar>) {
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}
