//! A copy of a log that may be written to, and the process that appends to it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rusqlite::Connection;

use crate::Log;
use crate::dataset::Random;
use crate::dataset::generator::{ACTIONS, RESOURCES, SCHEMA};
use crate::environment;
use crate::error::Error;
use crate::feed::Feeder;
use crate::temporary::TemporaryFolder;

/// The writer's own patience with readers: what the live system's writer has.
const WRITER_PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// A copy of a log's first events that goes with the run, and all scratch of it with the copy.
pub struct TemporaryCopy {
    /// The copy.
    pub log: Log,
    folder: TemporaryFolder,
}

impl TemporaryCopy {
    /// Copies the first `most` events to where temporary files lie.
    pub fn of(log: &Log, most: u64) -> Result<Self, Error> {
        let folder = TemporaryFolder::new_in(&environment::temporary_folder(), "copy")?;
        let [data, cache] = ["log", "cache"].map(|name| folder.path().join(name));
        DirBuilder::new().mode(0o700).create(&data).map_err(|source| Error::io(&data, source))?;
        copy(log, &data, most)?;
        Ok(Self { log: Log::open(&data)?.with_cache(cache), folder })
    }

    /// The folder of the copy's two files.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

/// Copies the first `most` events of a log into an empty folder.
pub fn copy(log: &Log, folder: &Path, most: u64) -> Result<(), Error> {
    let target = folder.join("audit.db");
    let connection = Connection::open(&target)?;
    // Whatever the log's cells hold is copied.
    connection.execute_batch(&SCHEMA.replace(" NOT NULL", ""))?;
    connection.execute_batch("PRAGMA synchronous=OFF; BEGIN")?;
    let feeder = Feeder::open(log)?;
    let end = feeder.copy_rows(&connection, most)?;
    connection.execute_batch("COMMIT")?;
    // The live writer's journal mode: rollback, with a commit that waits for readers.
    connection.close().map_err(|(_, error)| error)?;
    let payloads = folder.join("payloads.jsonl");
    let source = File::open(&log.payloads).map_err(|source| Error::io(&log.payloads, source))?;
    let mut file = File::create(&payloads).map_err(|source| Error::io(&payloads, source))?;
    std::io::copy(&mut source.take(end), &mut file).map_err(|source| Error::io(&payloads, source))?;
    Ok(())
}

/// Another process that appends to the log in a folder whenever it is told to.
pub struct Appender {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Appender {
    /// Starts it: this same program, with a verb that only this uses.
    pub fn start(folder: &Path) -> Result<Self, Error> {
        // The very program that is running, even where its file was replaced meanwhile.
        let program = Path::new("/proc/self/exe");
        let mut child = Command::new(program)
            .arg("append-to-copy")
            .arg("--data")
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|source| Error::io(program, source))?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::Engine("the appending process has no pipes".to_owned()));
        };
        Ok(Self { child, orders, answers: BufReader::new(answers) })
    }

    /// Has it append so many events, and waits until they are committed.
    pub fn append(&mut self, events: u32) -> Result<(), Error> {
        let pipe = |source| Error::io("the pipe to the appending process", source);
        writeln!(self.orders, "{events}").and_then(|()| self.orders.flush()).map_err(pipe)?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).map_err(pipe)?;
        match answer.trim_end() {
            "done" => Ok(()),
            "" => Err(Error::Engine("the appending process ended".to_owned())),
            other => Err(Error::Engine(format!("the appending process says: {other}"))),
        }
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        // It may have ended by itself already; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The appending process: reads how many events to append, a line at a time, and answers each when
/// they are committed. A third of them are late: their time lies anywhere in the log's.
pub fn serve_appends(folder: &Path) -> Result<(), Error> {
    let database = folder.join("audit.db");
    let path = folder.join("payloads.jsonl");
    let mut connection = Connection::open(&database)?;
    connection.busy_timeout(WRITER_PATIENCE)?;
    let mut payloads =
        OpenOptions::new().append(true).open(&path).map_err(|source| Error::io(&path, source))?;
    let mut random = Random::new(1);
    let (oldest, mut now): (i64, i64) = connection.query_row(
        "SELECT coalesce(min(created_at), 0), coalesce(max(created_at), 0) FROM audit_events",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    for order in std::io::stdin().lines() {
        let order = order.map_err(|source| Error::io("standard input", source))?;
        let events: u32 =
            order.trim().parse().map_err(|_| Error::bad_request(format!("not a number: {order}")))?;
        let mut offset = payloads.metadata().map_err(|source| Error::io(&path, source))?.len().cast_signed();
        let transaction = connection.transaction()?;
        for _ in 0..events {
            now = now.saturating_add(random.randint(0, 1));
            let late = random.below(3) == 0;
            let created_at = if late { random.randint(oldest, now.max(oldest)) } else { now };
            let line = format!("{{\"appended\": {}}}\n", random.below(1_000_000));
            let len = i64::try_from(line.len()).unwrap_or(i64::MAX);
            payloads.write_all(line.as_bytes()).map_err(|source| Error::io(&path, source))?;
            let resource = *random.choice(&RESOURCES);
            transaction.execute(
                "INSERT INTO audit_events (created_at, actor_id, action, resource_type, resource_id, payload_offset, \
                 payload_len) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (
                    created_at,
                    random.randint(1, 2000),
                    *random.choice(&ACTIONS),
                    resource,
                    format!("{resource}-{}", random.randint(1, 5_000_000)),
                    offset,
                    len,
                ),
            )?;
            offset += len;
        }
        payloads.sync_data().map_err(|source| Error::io(&path, source))?;
        transaction.commit()?;
        let answered = writeln!(std::io::stdout(), "done");
        answered.map_err(|source| Error::io("the pipe to whoever gives the orders", source))?;
    }
    Ok(())
}
