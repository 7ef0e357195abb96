//! One slice of bringing the tables up to the log.

use crate::host::{Param, Rows, Writer};
use crate::tables::State;
use crate::{arrivals, fill};

/// How many new events a slice takes in: a few hundred milliseconds at most, and below the host's
/// bound on the rows of one call.
const SLICE: i64 = if cfg!(any(test, fuzzing)) { 7 } else { 2_000 };

const SLICE_END: &str = "SELECT count(*), max(id) FROM
    (SELECT id FROM feed.events WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3)";

/// How far a refresh has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The tables answer for every event up to this id, and for none beyond. 0 for none at all.
    pub covered: i64,
    /// Nothing is left to do.
    pub done: bool,
}

/// Does one slice of the work, to be committed as one transaction. To be called until done.
///
/// Everything that the next slice needs to know is in the tables: a refresh that was cut off goes
/// on where it stopped, whoever calls it next.
pub fn refresh<W: Writer>(writer: &mut W, through: i64) -> Result<Progress, W::Error> {
    let mut state = State::open(writer)?;
    if state.covered < through {
        if state.covered == 0 {
            fill::step(writer, &mut state, through)?;
        } else {
            let end = slice_end(writer, state.covered, through)?;
            arrivals::take_in(writer, state.covered + 1, end)?;
            state.covered = end;
        }
        state.save(writer)?;
    }
    Ok(Progress { covered: state.covered, done: state.covered >= through })
}

/// The last id of a slice that starts after `covered`.
fn slice_end<W: Writer>(writer: &mut W, covered: i64, through: i64) -> Result<i64, W::Error> {
    let params = [covered, through, SLICE].map(Param::Integer);
    let rows = writer.query(SLICE_END, &params)?;
    let full = !rows.is_empty() && rows.integer(0, 0) == Some(SLICE);
    Ok(rows.integer(0, 1).filter(|_| full).unwrap_or(through))
}
