//! Trying what must be denied, in every spelling.

use crate::bindings::keyhole::strategy::log;
use crate::bindings::keyhole::strategy::scratch;
use crate::bindings::keyhole::strategy::types::Error;

/// Tries statements that change something. Returns the last denial, so that the operator sees it, or an
/// error that says which statement was let through.
pub(crate) fn execute_each(statements: &[&str]) -> Error {
    each(statements, |sql| scratch::execute(sql, &[]).map(drop))
}

/// The same for statements that read.
pub(crate) fn query_each(statements: &[&str]) -> Error {
    each(statements, |sql| log::query(sql, &[]).map(drop))
}

fn each(statements: &[&str], run: impl Fn(&str) -> Result<(), Error>) -> Error {
    let mut last = Error::Other("nothing was tried".to_owned());
    for sql in statements {
        match run(sql) {
            Err(denied @ Error::Denied(_)) => last = denied,
            Ok(()) => return Error::Other(format!("let through: {sql}")),
            Err(other) => return Error::Other(format!("not denied but {other}: {sql}")),
        }
    }
    last
}
