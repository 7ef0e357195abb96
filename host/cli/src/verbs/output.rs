//! Where results and remarks go.

use std::fs::File;
use std::io::{BufWriter, Stdout, Write};
use std::path::PathBuf;

use crate::cli::Common;
use crate::error::Error;

/// Results: standard output, or the file of --out.
pub enum Output {
    /// Standard output.
    Stdout(BufWriter<Stdout>),
    /// A file.
    File(BufWriter<File>, PathBuf),
}

/// What a failed write to standard output is called in an error.
pub const STDOUT: &str = "standard output";

impl Output {
    /// Opens it.
    pub fn open(common: &Common) -> Result<Self, Error> {
        match &common.out {
            None => Ok(Self::Stdout(BufWriter::new(std::io::stdout()))),
            Some(path) => {
                let file = File::create(path).map_err(|source| Error::io(path, source))?;
                Ok(Self::File(BufWriter::new(file), path.clone()))
            }
        }
    }

    /// Writes bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.with(|writer| writer.write_all(bytes))
    }

    /// Writes a line.
    pub fn line(&mut self, text: &str) -> Result<(), Error> {
        self.write(text.as_bytes())?;
        self.write(b"\n")
    }

    /// Writes a value as JSON, for people and machines to read.
    pub fn json(&mut self, value: &impl serde::Serialize) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(value).map_err(|error| Error::Engine(error.to_string()))?;
        self.line(&text)
    }

    /// Hands everything over.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.with(|writer| writer.flush())
    }

    fn with(&mut self, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<(), Error> {
        match self {
            Self::Stdout(stdout) => write(stdout).map_err(|source| Error::io(STDOUT, source)),
            Self::File(file, path) => write(file).map_err(|source| Error::io(&*path, source)),
        }
    }
}

/// A remark for people, on standard error.
pub fn remark(common: &Common, text: &str) {
    if !common.quiet {
        eprintln!("{text}");
    }
}

/// Prints an error as the options ask: for people, or as {code, message, where, fix}.
pub fn print_error(error: &Error, json: bool) {
    let place = error.place().map(|path| path.display().to_string());
    if json {
        let mut object = serde_json::json!({
            "code": error.code(), "message": error.to_string(), "where": place, "fix": error.fix(),
        });
        if let Some(lines) = error.lines() {
            object["lines"] = lines.into();
        }
        eprintln!("{object}");
        return;
    }
    eprintln!("keyhole: {error}");
    if let Some(place) = place.filter(|place| !error.to_string().contains(place)) {
        eprintln!("  where: {place}");
    }
    if let Some(fix) = error.fix() {
        eprintln!("  to mend it: {fix}");
    }
    if let Some(lines) = error.lines() {
        eprintln!("{}", lines.trim_end());
    }
}
