//! The log's high-water mark, for readers that ask for no page.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyhole_log::error::Error;
use keyhole_log::log_reader::LogReader;
use keyhole_log::version;
use keyhole_log::{Identity, Log};
use parking_lot::Mutex;

/// How long a commit of the writer's is waited for.
const WAIT: Duration = Duration::from_millis(400);

/// Reads the log's largest id over a connection that does nothing else: some ten microseconds.
pub(super) struct HighWaterReader {
    log: Log,
    open: Mutex<Option<Open>>,
    /// The file of the log that was found replaced, until everything derived from it fits the new one.
    replaced: Mutex<Option<PathBuf>>,
    /// A number that no other process has.
    process: u64,
}

/// A reader, and the files that it was opened on.
struct Open {
    reader: LogReader,
    payloads: Identity,
}

impl HighWaterReader {
    pub(super) fn new(log: &Log) -> Self {
        let process = RandomState::new().build_hasher().finish();
        Self { log: log.clone(), open: Mutex::default(), replaced: Mutex::default(), process }
    }

    /// The largest id; 0 for an empty log. Where a file of the log was replaced this fails with `LogReplaced`
    /// once, and reads the new file from then on, as the workers do.
    pub(super) fn read(&self) -> Result<i64, Error> {
        let mut open = self.open.lock();
        if let Some(known) = &*open {
            for (path, known) in
                [(&self.log.database, known.reader.identity()), (&self.log.payloads, known.payloads)]
            {
                if Identity::of(path)? != known {
                    *open = None;
                    *self.replaced.lock() = Some(path.clone());
                    return Err(Error::LogReplaced { path: path.clone() });
                }
            }
        }
        let current = match open.take() {
            Some(current) => current,
            None => self.connect()?,
        };
        let read = current.reader.read(|log| {
            log.prepare_cached("SELECT max(id) FROM log.audit_events")?
                .query_row([], |row| row.get::<_, Option<i64>>(0))
        });
        if let Err(Error::LogReplaced { path }) = &read {
            *self.replaced.lock() = Some(path.clone());
        }
        // Left closed after any other error: a new connection meets it again or does not.
        if matches!(read, Ok(_) | Err(Error::Busy)) {
            *open = Some(current);
        }
        Ok(read?.unwrap_or(0))
    }

    /// What the log's files are at this moment, as this process tells it; None where that cannot be told from what
    /// they are after the next write.
    pub(super) fn files(&self) -> Option<String> {
        let files = version::of_files(&self.log.database, &self.log.payloads).ok().flatten()?;
        Some(format!("{:x} {files}", self.process))
    }

    /// The file of the log that was replaced, while it is not known that everything fits the new one.
    pub(super) fn replaced(&self) -> Option<PathBuf> {
        self.replaced.lock().clone()
    }

    /// Notes that everything derived from the log fits the file that took this one's place.
    pub(super) fn settled(&self, path: &Path) {
        self.replaced.lock().take_if(|known| known == path);
    }

    fn connect(&self) -> Result<Open, Error> {
        let payloads = Identity::of(&self.log.payloads)?;
        Ok(Open { reader: LogReader::open(&self.log.database, WAIT)?, payloads })
    }
}
