//! Puts expressions into its schema that would run when somebody reads it: views, virtual tables, and
//! functions that are not granted in generated columns, defaults, checks and indexes.

use crate::bindings::exports::keyhole::strategy::indexing::Progress;
use crate::bindings::keyhole::strategy::types::Error;
use crate::bindings::keyhole::strategy::scratch;
use crate::tries::execute_each;

pub(crate) use crate::index::page;

pub(crate) fn refresh(_through: i64) -> Result<Progress, Error> {
    scratch::execute("CREATE TABLE IF NOT EXISTS scratch.t (a TEXT)", &[])?;
    Err(execute_each(&[
        "CREATE VIEW scratch.v AS SELECT load_extension(a) FROM t",
        "CREATE VIRTUAL TABLE scratch.v USING rtree(id, lo, hi)",
        "CREATE VIRTUAL TABLE temp.v USING fts3tokenize",
        "CREATE TABLE scratch.g (a TEXT, b TEXT GENERATED ALWAYS AS (hex(zeroblob(100000000))))",
        "CREATE TABLE scratch.g (a TEXT, b TEXT GENERATED ALWAYS AS (printf('%100000000d', a)) STORED)",
        "CREATE TABLE scratch.g (a TEXT DEFAULT (hex(randomblob(16))))",
        "CREATE TABLE scratch.g (a TEXT CHECK (load_extension(a) IS NULL))",
        "CREATE INDEX scratch.i ON t (replace(a, 'a', 'aa'))",
        "CREATE INDEX scratch.i ON t (a) WHERE instr(a, 'a') > 0",
    ]))
}
