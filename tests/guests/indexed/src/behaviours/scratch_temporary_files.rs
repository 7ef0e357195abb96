//! Has SQLite fill the disk with temporary files: a sort of many long rows made out of few.

use crate::bindings::exports::keyhole::strategy::indexing::Progress;
use crate::bindings::keyhole::strategy::types::Error;
use crate::bindings::keyhole::strategy::scratch;
use crate::bindings::keyhole::strategy::types::Value;

pub(crate) use crate::index::page;

pub(crate) fn refresh(_through: i64) -> Result<Progress, Error> {
    scratch::execute("CREATE TABLE IF NOT EXISTS scratch.few (n INTEGER PRIMARY KEY, piece BLOB)", &[])?;
    scratch::execute("INSERT INTO scratch.few (piece) VALUES (?)", &[Value::Blob(vec![7; 48 << 10])])?;
    for _ in 0..8 {
        scratch::execute("INSERT INTO scratch.few (piece) SELECT NULL FROM scratch.few", &[])?;
    }
    scratch::execute(
        "CREATE TABLE scratch.many AS SELECT a.piece || b.n || c.n AS long FROM scratch.few AS a, \
         scratch.few AS b, scratch.few AS c WHERE a.n = 1 ORDER BY long DESC",
        &[],
    )?;
    Err(Error::Other("the disk was not big enough".to_owned()))
}
