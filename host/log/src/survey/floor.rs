//! Parts of a page that nothing can do without, done alone: what a benchmark holds strategies against.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::Log;
use crate::error::Error;
use crate::limits::HOST_WAIT;
use crate::log_reader::LogReader;
use crate::model::Page;

/// A snapshot and nothing else.
pub struct BareSnapshot {
    log: LogReader,
}

impl BareSnapshot {
    /// Opens the log.
    pub fn open(log: &Log) -> Result<Self, Error> {
        Ok(Self { log: LogReader::open(&log.database, HOST_WAIT)? })
    }

    /// Takes a snapshot, reads its largest id and gives it back; 0 where the log is empty.
    pub fn take(&self) -> Result<i64, Error> {
        let high_water: Option<i64> = self.log.read(|log| {
            let run = |sql| log.prepare_cached(sql)?.raw_execute();
            run("/*keyhole*/ BEGIN")?;
            let high_water = log
                .prepare_cached("/*keyhole*/ SELECT max(id) FROM log.audit_events")
                .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
            run("/*keyhole*/ ROLLBACK")?;
            high_water
        })?;
        Ok(high_water.unwrap_or(0))
    }
}

/// Where payloads lie in their file: first byte and length, in a page's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans(Vec<(u64, usize)>);

impl Spans {
    /// Those of a page's events.
    pub fn of(page: &Page) -> Self {
        let span = |offset, len| Some((u64::try_from(offset).ok()?, usize::try_from(len).ok()?));
        Self(page.rows.iter().filter_map(|row| span(row.payload_offset, row.payload_len)).collect())
    }
}

/// Positioned reads and nothing else.
pub struct BareReads {
    file: Arc<File>,
    path: PathBuf,
    buffer: Vec<u8>,
}

impl BareReads {
    /// Opens the payload file.
    pub fn open(log: &Log) -> Result<Self, Error> {
        let file = File::open(&log.payloads).map_err(|source| Error::io(&log.payloads, source))?;
        Ok(Self { file: Arc::new(file), path: log.payloads.clone(), buffer: Vec::new() })
    }

    /// Reads spans one by one, as a page does, and returns how many bytes they were.
    pub fn read(&mut self, spans: &Spans) -> Result<usize, Error> {
        self.buffer.resize(spans.0.iter().map(|(_, len)| len).sum(), 0);
        let mut free = self.buffer.as_mut_slice();
        for &(start, len) in &spans.0 {
            let Some((line, rest)) = free.split_at_mut_checked(len) else { break };
            self.file.read_exact_at(line, start).map_err(|source| Error::io(&self.path, source))?;
            free = rest;
        }
        Ok(self.buffer.len())
    }
}
