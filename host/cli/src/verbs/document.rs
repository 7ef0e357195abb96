//! A report, shown as the options ask: as text where the results go, and as a page of HTML beside.

use crate::args::Common;
use crate::report::{self, Document};
use crate::verbs::output::Output;
use keyhole_log::error::Error;

/// A document as the place that the results go to can show it.
pub fn text(common: &Common, document: &Document) -> String {
    let (width, colour) = report::screen();
    report::text(document, width, colour && common.out.is_none())
}

/// Shows a document, and as a page of HTML where the output has one; `value` is the same report for --json.
pub fn show(
    output: &mut Output,
    common: &Common,
    document: &Document,
    value: &impl serde::Serialize,
) -> Result<(), Error> {
    output.html(|| report::html(document))?;
    output.show(value, || text(common, document))
}
