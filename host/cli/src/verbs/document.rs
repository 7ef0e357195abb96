//! A report, shown as the options ask: as text where the results go, and as a page of HTML beside.

use std::path::Path;

use crate::args::Common;
use crate::report::{self, Document};
use crate::verbs::output::Output;
use keyhole_log::error::Error;

/// A document as the place that the results go to can show it.
pub fn text(common: &Common, document: &Document) -> String {
    let (width, colour) = report::screen();
    report::text(document, width, colour && common.out.is_none())
}

/// Shows a document; `value` is the same report for --json.
pub fn show(
    common: &Common,
    document: &Document,
    value: &impl serde::Serialize,
    html: Option<&Path>,
) -> Result<(), Error> {
    if let Some(path) = html {
        std::fs::write(path, report::html(document)).map_err(|source| Error::io(path, source))?;
    }
    let mut output = Output::open(common)?;
    if common.json {
        output.json(value)?;
    } else {
        output.write(text(common, document).as_bytes())?;
    }
    output.flush()
}
