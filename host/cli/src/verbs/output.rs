//! Where results, remarks and errors go.

use std::io::{BufWriter, IsTerminal, Stdout, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::fs::{OFlags, fcntl_getfl};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Common;
use crate::results::{self, KeptFolder, Kind, Protected, ResultFile, Rules};
use keyhole_lab::bench::KeptFile;
use keyhole_log::error::{Error, words};

/// What a failed write to standard output is called in an error.
pub const STDOUT: &str = "standard output";

/// What standard error is called in an error.
const STDERR: &str = "standard error";

/// Whether standard output was closed when the process began: the standard library has /dev/null in its place since.
static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether standard error is a file that must not be written to: then nothing is said at all.
static MUTE: AtomicBool = AtomicBool::new(false);

/// Notes that standard output was closed when the process began.
pub fn stdout_was_closed() {
    STDOUT_WAS_CLOSED.store(true, Relaxed);
}

/// Where the results of a run go: standard output or the file of --out, and what is written besides. All of it is
/// in place once [`Output::finish`] has ended well, and no file of it before.
pub struct Output {
    sink: Sink,
    /// What it is called in an error.
    name: PathBuf,
    json: bool,
    rules: Rules,
    /// A page of HTML that was not written yet.
    html: Option<ResultFile>,
    /// What was written besides.
    beside: Vec<ResultFile>,
    /// Behind the files in it, so that it goes after them.
    folder: Option<KeptFolder>,
}

enum Sink {
    Stdout(BufWriter<Stdout>),
    File(Box<ResultFile>),
}

impl Output {
    /// Opens the place of the options, for a result of this kind, and fails where that or a standard stream must not
    /// be written to.
    pub fn open(common: &Common, kind: Kind, protected: Protected) -> Result<Self, Error> {
        let rules = Rules { protected, force: common.force };
        rules.protected.check_stream(STDERR, std::io::stderr()).inspect_err(|_| MUTE.store(true, Relaxed))?;
        let (name, sink) = match &common.out {
            None => {
                rules.protected.check_stream(STDOUT, std::io::stdout())?;
                (PathBuf::from(STDOUT), Sink::Stdout(stdout()?))
            }
            Some(path) => {
                let file = ResultFile::open(path, kind, &rules)?;
                let name = if file.is_stdout() {
                    // Closed, it cannot be written to by another name either.
                    drop(stdout()?);
                    PathBuf::from(STDOUT)
                } else {
                    path.clone()
                };
                (name, Sink::File(Box::new(file)))
            }
        };
        Ok(Self { sink, name, json: common.json, rules, html: None, beside: Vec::new(), folder: None })
    }

    /// The same, with a page of HTML besides.
    pub fn with_html(mut self, path: Option<&Path>) -> Result<Self, Error> {
        if let Some(path) = path {
            self.check_other(path, |file| file.is_at(path))?;
            self.html = Some(ResultFile::open(path, Kind::Html, &self.rules)?);
        }
        Ok(self)
    }

    /// The same, with a folder of files besides, whose report is of this kind.
    pub fn with_folder(mut self, path: Option<&Path>, report: Kind) -> Result<Self, Error> {
        if let Some(path) = path {
            let folder = KeptFolder::open(path, report, &self.rules)?;
            self.check_other(path, |file| folder.holds(file.named()))?;
            self.folder = Some(folder);
        }
        Ok(self)
    }

    /// What may be written to.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether somebody reads it as it is written: it goes to a terminal, and to no file.
    pub fn is_read_by_people(&self) -> bool {
        matches!(self.sink, Sink::Stdout(_)) && !self.json && std::io::stdout().is_terminal()
    }

    /// Writes bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = match &mut self.sink {
            Sink::Stdout(out) => out.write_all(bytes),
            Sink::File(file) => file.write_all(bytes),
        };
        written.map_err(|source| Error::io(&self.name, source))
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

    /// Writes the page of HTML, if one is wanted.
    pub fn html(&mut self, page: impl FnOnce() -> String) -> Result<(), Error> {
        let Some(mut file) = self.html.take() else { return Ok(()) };
        file.write_all(page().as_bytes()).map_err(|source| Error::io(file.named(), source))?;
        self.beside.push(file);
        Ok(())
    }

    /// Writes the files of the folder, if one is wanted.
    pub fn keep(&mut self, files: &[KeptFile]) -> Result<(), Error> {
        if let Some(folder) = &mut self.folder {
            self.beside.extend(folder.fill(files, &self.rules)?);
        }
        Ok(())
    }

    /// Flushes: what was written to standard output, a device or a pipe is with whoever reads it.
    pub fn flush(&mut self) -> Result<(), Error> {
        let flushed = match &mut self.sink {
            Sink::Stdout(out) => out.flush(),
            Sink::File(file) => file.flush(),
        };
        flushed.map_err(|source| Error::io(&self.name, source))
    }

    /// Puts everything in place.
    pub fn finish(mut self) -> Result<(), Error> {
        self.flush()?;
        let mut results = Vec::new();
        if let Sink::File(file) = self.sink {
            results.push(*file);
        }
        results.append(&mut self.beside);
        results::commit(results, &self.rules)
    }

    /// Fails where the file of --out is where another result of this run is to go.
    fn check_other(&self, path: &Path, meets: impl FnOnce(&ResultFile) -> bool) -> Result<(), Error> {
        let Sink::File(file) = &self.sink else { return Ok(()) };
        if !meets(file) {
            return Ok(());
        }
        Err(Error::NotWritten {
            path: path.to_owned(),
            why: "another result of this run goes there, that of --out".to_owned(),
            fix: "name two files",
        })
    }
}

/// Standard output, if anything can be written to it.
fn stdout() -> Result<BufWriter<Stdout>, Error> {
    let stdout = std::io::stdout();
    let closed = |why: &str| Error::io(STDOUT, std::io::Error::other(why.to_owned()));
    // The standard library counts what it writes to a descriptor that is not open for writing as written.
    let flags = fcntl_getfl(&stdout).map_err(|error| closed(&words(&error.into())))?;
    let is_open = flags.intersects(OFlags::WRONLY | OFlags::RDWR) && !flags.contains(OFlags::PATH);
    if STDOUT_WAS_CLOSED.load(Relaxed) || !is_open {
        return Err(closed("it is closed, or open for reading alone"));
    }
    Ok(BufWriter::new(stdout))
}

/// Writes what was asked for without a verb, such as help, to standard output.
pub fn print(text: &str) -> Result<(), Error> {
    let mut stdout = stdout()?;
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|source| Error::io(STDOUT, source))
}

/// Says something to people, on standard error. Nobody can be told that nobody listens.
pub fn say(text: &str) {
    if !MUTE.load(Relaxed) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

/// A remark for people, on standard error.
pub fn remark(common: &Common, text: &str) {
    if !common.quiet {
        say(text);
    }
}

/// Prints an error as the options ask: for people, or as {code, message, where, fix}; where an event cannot be shown, with
/// `{event, shown_before, start, next}`.
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
        say(&problem.to_string());
        return;
    }
    let text = |field: &str| problem.get(field).and_then(Value::as_str);
    say(&format!("keyhole: {}", text("message").unwrap_or_default()));
    for (label, field) in [("where", "where"), ("to mend it", "fix")] {
        if let Some(text) = text(field) {
            say(&format!("  {label}: {text}"));
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
        say(lines.trim_end());
    }
}
