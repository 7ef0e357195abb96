//! Texts that the host must refuse: sent one after another, by `query` and by `select`.

use crate::bindings::keyhole::strategy::log::{self, Event};
use crate::bindings::keyhole::strategy::types::{Error, PageRequest, Value};
use crate::events::{fetch, page_keys};

/// Sends every text. All must be refused: then the honest page, as if nothing had happened.
pub(crate) fn refused_then_honest(request: &PageRequest, texts: &[&str]) -> Result<Vec<Event>, Error> {
    last_refusal(texts)?;
    fetch(&page_keys(request, 0)?)
}

/// Sends every text. All must be refused: then the page fails with the last refusal.
pub(crate) fn refused(texts: &[&str]) -> Result<Vec<Event>, Error> {
    Err(last_refusal(texts)?)
}

/// Sends a text, whose rows may be many and whose budget small.
pub(crate) fn run(text: &str, params: &[Value]) -> Result<(), Error> {
    log::query(text, params).map(drop)
}

/// The last text's refusal. Fails with the first text that is let through.
fn last_refusal(texts: &[&str]) -> Result<Error, Error> {
    let mut last = Error::Other("no text was sent".to_owned());
    for text in texts {
        last = refusal(text)?;
    }
    Ok(last)
}

fn refusal(text: &str) -> Result<Error, Error> {
    let shown: String = text.chars().take(200).collect();
    if log::query(text, &[]).is_ok() {
        return Err(Error::Other(format!("let through: {shown}")));
    }
    // The host remembers its last refusal: that is the one to return.
    match log::select(text, &[]) {
        Err(refusal) => Ok(refusal),
        Ok(_) => Err(Error::Other(format!("let through by select: {shown}"))),
    }
}
