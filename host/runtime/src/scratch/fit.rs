//! Does scratch fit the log? The host keeps what it needs to tell in tables of its own.
//!
//! Here stands the quick look, at each refresh: whether it is the same file, and the first and the last covered event
//! are there as they were. Whether all that lies in between still is what scratch was made from is found out by
//! [`compare`](super::compare), from the digests in [`blocks`](super::blocks), and by a count now and then. Any
//! difference drops scratch.

use std::ffi::OsString;
use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension};

use crate::scratch::blocks;
use keyhole_log::digests::{DigestKey, RowDigest};
use keyhole_log::error::Error;
use keyhole_log::feed::Feeder;
use keyhole_log::{Identity, Log};

/// Makes the table in a new scratch.
pub(super) fn create(scratch: &Connection) -> rusqlite::Result<()> {
    scratch.execute_batch(
        "CREATE TABLE scratch.keyhole_coverage (
            path BLOB NOT NULL, device INTEGER NOT NULL, inode INTEGER NOT NULL, key BLOB NOT NULL,
            first INTEGER NOT NULL, last INTEGER NOT NULL, last_digest INTEGER NOT NULL, n INTEGER NOT NULL)",
    )
}

/// The database of the log that a scratch was made from; None where it does not say.
pub(super) fn log_of(scratch: &Connection) -> rusqlite::Result<Option<PathBuf>> {
    use std::os::unix::ffi::OsStringExt;
    let path = scratch
        .query_row("SELECT path FROM scratch.keyhole_coverage", [], |row| row.get::<_, Vec<u8>>(0))
        .optional()?;
    Ok(path.map(|path| OsString::from_vec(path).into()))
}

/// What scratch covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coverage {
    /// The key of its digests.
    pub(super) key: DigestKey,
    /// The smallest covered id.
    pub(super) first: i64,
    /// The largest covered id; 0 where nothing is covered.
    pub(super) last: i64,
    /// The digest of that event.
    pub(super) last_digest: u64,
    /// How many events are covered.
    pub(super) n: u64,
}

impl Coverage {
    /// Of a scratch that covers nothing yet.
    pub(super) fn nothing() -> Self {
        Self { key: DigestKey::random(), first: 0, last: 0, last_digest: 0, n: 0 }
    }

    /// Reads what scratch says about itself; None where it says nothing.
    pub(super) fn load(scratch: &Connection) -> rusqlite::Result<Option<Self>> {
        scratch
            .query_row("SELECT key, first, last, last_digest, n FROM scratch.keyhole_coverage", [], |row| {
                Ok(Self {
                    // One that is none matches no event.
                    key: DigestKey::from_bytes(row.get_ref(0)?.as_blob()?).unwrap_or_default(),
                    first: row.get(1)?,
                    last: row.get(2)?,
                    last_digest: row.get::<_, i64>(3)?.cast_unsigned(),
                    n: row.get::<_, i64>(4)?.unsigned_abs(),
                })
            })
            .optional()
    }

    /// Takes in events that were fed, in ascending order of id.
    pub(super) fn extend(&mut self, rows: &[RowDigest]) {
        if let (0, Some(first)) = (self.n, rows.first()) {
            self.first = first.id;
        }
        if let Some(last) = rows.last() {
            (self.last, self.last_digest) = (last.id, last.digest);
        }
        self.n += rows.len() as u64;
    }

    /// Writes it into scratch, and with it the blocks that were gathered.
    pub(super) fn store(&self, scratch: &Connection, log: &Log, feeder: &Feeder) -> Result<(), Error> {
        use std::os::unix::ffi::OsStrExt;
        let Identity { device, inode } = feeder.identity();
        scratch.execute_batch("DELETE FROM scratch.keyhole_coverage")?;
        scratch.execute(
            "INSERT INTO scratch.keyhole_coverage VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            (
                log.database.as_os_str().as_bytes(),
                device.cast_signed(),
                inode.cast_signed(),
                self.key.bytes(),
                self.first,
                self.last,
                self.last_digest.cast_signed(),
                self.n.cast_signed(),
            ),
        )?;
        blocks::keep(scratch)?;
        Ok(())
    }

    /// Looks whether scratch is of this log and its ends are there. The reason, where it does not fit.
    pub(super) fn misfit(scratch: &Connection, log: &Log, feeder: &Feeder) -> Result<Option<String>, Error> {
        use std::os::unix::ffi::OsStrExt;
        let stored = scratch
            .query_row("SELECT path, device, inode FROM scratch.keyhole_coverage", [], |row| {
                let identity = Identity {
                    device: row.get::<_, i64>(1)?.cast_unsigned(),
                    inode: row.get::<_, i64>(2)?.cast_unsigned(),
                };
                Ok((row.get::<_, Vec<u8>>(0)?, identity))
            })
            .optional()?;
        let (Some((path, identity)), Some(covers)) = (stored, Self::load(scratch)?) else {
            return Ok(Some("it does not say what it covers".to_owned()));
        };
        if path != log.database.as_os_str().as_bytes() || identity != feeder.identity() {
            return Ok(Some("it was made for another file".to_owned()));
        }
        if covers.n == 0 {
            return Ok(None);
        }
        if feeder.first()? != Some(covers.first) {
            return Ok(Some("the log does not begin where it did".to_owned()));
        }
        let mut last = Vec::new();
        feeder.digests(&covers.key, Some(covers.last - 1), covers.last, &mut last)?;
        if last != [RowDigest { id: covers.last, digest: covers.last_digest }] {
            return Ok(Some(format!("event {} is not the one that it covers", covers.last)));
        }
        let mended = feeder.changed_in_quarantine(scratch)?;
        Ok(mended.map(|id| format!("event {id}, which had an odd cell, is not as it was when it was fed")))
    }
}
