//! Writes to its tables until it is stopped, and passes over every refusal.

use crate::bindings::exports::keyhole::strategy::indexing::Progress;
use crate::bindings::keyhole::strategy::types::Error;
use crate::bindings::keyhole::strategy::scratch;
use crate::bindings::keyhole::strategy::types::Value;

pub(crate) use crate::index::page;

/// Nearly as much as one value may have.
const PIECE: usize = 48 << 10;

/// Refusals that it passes over before it gives in.
const STUBBORN: u32 = 100;

pub(crate) fn refresh(_through: i64) -> Result<Progress, Error> {
    scratch::execute("CREATE TABLE IF NOT EXISTS scratch.filler (piece BLOB NOT NULL)", &[])?;
    let piece = [Value::Blob(vec![7; PIECE])];
    let mut refused = 0;
    loop {
        let written = scratch::execute("INSERT INTO scratch.filler VALUES (?)", &piece)
            .and_then(|_| scratch::execute("INSERT INTO scratch.filler SELECT piece FROM scratch.filler", &[]));
        if let Err(error) = written {
            refused += 1;
            if refused == STUBBORN {
                return Err(error);
            }
        }
    }
}
