//! Does scratch fit the log? The host keeps what it needs to tell in tables of its own.
//!
//! Kept: which file the log was, the first and the last covered event in full, how many are covered,
//! and witnesses: 64 covered events drawn at random and the last 64. Any difference drops scratch.

use rusqlite::{Connection, OptionalExtension};

use keyhole_log::error::Error;
use keyhole_log::feed::Feeder;
use keyhole_log::{Identity, Log};

/// Witnesses drawn at random, and as many from the end.
const WITNESSES: u32 = 64;

/// Makes the host's tables in a new scratch.
pub fn create(scratch: &Connection) -> rusqlite::Result<()> {
    scratch.execute_batch(
        "CREATE TABLE scratch.keyhole_coverage (
            path BLOB NOT NULL, device INTEGER NOT NULL, inode INTEGER NOT NULL,
            first INTEGER NOT NULL, first_row TEXT NOT NULL,
            last INTEGER NOT NULL, last_row TEXT NOT NULL, n INTEGER NOT NULL);
         CREATE TABLE scratch.keyhole_witness (slot INTEGER PRIMARY KEY, id INTEGER NOT NULL, row TEXT NOT NULL);",
    )
}

/// What scratch covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The smallest covered id.
    pub first: i64,
    /// The largest covered id; 0 where nothing is covered.
    pub last: i64,
    /// How many events are covered.
    pub n: u64,
    /// Ids of the random witnesses, by slot.
    witnesses: Vec<i64>,
    /// The last covered ids, oldest first.
    recent: Vec<i64>,
}

impl Coverage {
    /// Reads what scratch says about itself; None where it says nothing.
    pub fn load(scratch: &Connection) -> rusqlite::Result<Option<Self>> {
        let stored = scratch
            .query_row("SELECT first, last, n FROM scratch.keyhole_coverage", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?))
            })
            .optional()?;
        let Some((first, last, n)) = stored else { return Ok(None) };
        let mut witnesses = scratch.prepare("SELECT slot, id FROM scratch.keyhole_witness ORDER BY slot")?;
        let mut coverage = Self { first, last, n: n.unsigned_abs(), ..Self::default() };
        let mut rows = witnesses.query([])?;
        while let Some(row) = rows.next()? {
            let drawn = row.get::<_, u32>(0)? < WITNESSES;
            let ids = if drawn { &mut coverage.witnesses } else { &mut coverage.recent };
            ids.push(row.get(1)?);
        }
        Ok(Some(coverage))
    }

    /// Takes in events that were fed, in ascending order of id.
    pub fn extend(&mut self, ids: &[i64]) {
        for &id in ids {
            if self.n == 0 {
                self.first = id;
            }
            self.n += 1;
            self.last = id;
            // Reservoir sampling: after n events each is a witness with the same probability.
            if self.witnesses.len() < WITNESSES as usize {
                self.witnesses.push(id);
            } else {
                let slot = usize::try_from(mix(self.n) % self.n).unwrap_or(usize::MAX);
                if let Some(witness) = self.witnesses.get_mut(slot) {
                    *witness = id;
                }
            }
        }
        self.recent.extend(ids.iter().rev().take(WITNESSES as usize).rev());
        let surplus = self.recent.len().saturating_sub(WITNESSES as usize);
        self.recent.drain(..surplus);
    }

    /// Writes it into scratch, each witness with its row as the log has it.
    pub fn store(&self, scratch: &Connection, log: &Log, feeder: &Feeder) -> Result<(), Error> {
        use std::os::unix::ffi::OsStrExt;
        let Identity { device, inode } = feeder.identity();
        let row = |id| feeder.row_text(id).map(Option::unwrap_or_default);
        scratch.execute_batch("DELETE FROM scratch.keyhole_coverage; DELETE FROM scratch.keyhole_witness")?;
        scratch.execute(
            "INSERT INTO scratch.keyhole_coverage VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            (
                log.database.as_os_str().as_bytes(),
                device.cast_signed(),
                inode.cast_signed(),
                self.first,
                row(self.first)?,
                self.last,
                row(self.last)?,
                self.n.cast_signed(),
            ),
        )?;
        let mut insert =
            scratch.prepare_cached("/*keyhole*/ INSERT INTO scratch.keyhole_witness VALUES (?1, ?2, ?3)")?;
        let random = (0..).zip(&self.witnesses);
        let recent = (WITNESSES..).zip(&self.recent);
        for (slot, &id) in random.chain(recent) {
            insert.execute((slot, id, row(id)?))?;
        }
        Ok(())
    }

    /// Compares with the log. The reason, where scratch does not fit.
    pub fn misfit(scratch: &Connection, log: &Log, feeder: &Feeder) -> Result<Option<String>, Error> {
        use std::os::unix::ffi::OsStrExt;
        let stored = scratch
            .query_row(
                "SELECT path, device, inode, first, first_row, last, last_row, n FROM scratch.keyhole_coverage",
                [],
                |row| {
                    let identity = Identity {
                        device: row.get::<_, i64>(1)?.cast_unsigned(),
                        inode: row.get::<_, i64>(2)?.cast_unsigned(),
                    };
                    let ends: [(i64, String); 2] = [(row.get(3)?, row.get(4)?), (row.get(5)?, row.get(6)?)];
                    Ok((row.get::<_, Vec<u8>>(0)?, identity, ends, row.get::<_, i64>(7)?.unsigned_abs()))
                },
            )
            .optional()?;
        let Some((path, identity, ends, n)) = stored else {
            return Ok(Some("it does not say what it covers".to_owned()));
        };
        if path != log.database.as_os_str().as_bytes() || identity != feeder.identity() {
            return Ok(Some("it was made for another file".to_owned()));
        }
        if n == 0 {
            return Ok(None);
        }
        let [(first, _), (last, _)] = &ends;
        if feeder.first()? != Some(*first) {
            return Ok(Some("the log does not begin where it did".to_owned()));
        }
        let mut rows: Vec<(i64, String)> = ends.to_vec();
        let mut witnesses = scratch.prepare("SELECT id, row FROM scratch.keyhole_witness")?;
        for witness in witnesses.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
            rows.push(witness?);
        }
        for (id, row) in rows {
            if feeder.row_text(id)?.as_deref() != Some(row.as_str()) {
                return Ok(Some(format!("event {id} is not the one that it covers")));
            }
        }
        // Without gaps no event can have slipped in below; with gaps they are counted again.
        let gapless = i128::from(*last) - i128::from(*first) + 1 == i128::from(n);
        if !gapless && feeder.count_to(*last)? != n {
            return Ok(Some("events were added below the last one that it covers".to_owned()));
        }
        Ok(None)
    }
}

/// A well-mixed number from a counter (the finaliser of splitmix64).
fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn witnesses_are_drawn_from_the_whole_log_and_from_its_end() {
        let mut coverage = Coverage::default();
        for chunk in (1..=10_000i64).collect::<Vec<_>>().chunks(777) {
            coverage.extend(chunk);
        }
        assert_eq!((coverage.first, coverage.last, coverage.n), (1, 10_000, 10_000));
        assert_eq!(coverage.witnesses.len(), WITNESSES as usize);
        assert_eq!(coverage.recent, (9_937..=10_000).collect::<Vec<_>>());
        let late = coverage.witnesses.iter().filter(|&&id| id > 5_000).count();
        assert!((16..=48).contains(&late), "{late} of 64 lie in the second half");
    }
}
