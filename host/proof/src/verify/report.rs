//! What a verification found, for people.

use std::fmt::{self, Write};

use super::verdict::{Finding, Report, Side, StreamReport};
use keyhole_log::units::grouped;

/// How many events of a side a line shows.
const SHOWN_EVENTS: usize = 8;

/// The report as text: a line a stream, each difference with both sides, the verdict last.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_report(&mut text, report);
    text
}

fn write_report(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(out, "{} against {}", report.subject, report.reference)?;
    let width = report.streams.iter().map(|stream| stream.name.len());
    let width = width.max().unwrap_or(0).max("stream".len());
    writeln!(out, "  {:width$} {:>9} {:>10} {:>11}  outcome", "stream", "pages", "non-empty", "events")?;
    for stream in &report.streams {
        writeln!(
            out,
            "  {:width$} {:>9} {:>10} {:>11}  {}",
            stream.name,
            grouped(stream.pages),
            grouped(stream.non_empty),
            grouped(stream.events),
            outcome(stream)
        )?;
    }
    for finding in report.streams.iter().flat_map(|stream| &stream.differences) {
        write_finding(out, finding)?;
    }
    if !report.spans.is_empty() {
        writeln!(out, "the log is wrong, whatever a strategy answers:")?;
    }
    for violation in &report.spans {
        writeln!(out, "  {violation}")?;
    }
    writeln!(out, "{}", verdict(report))
}

fn outcome(stream: &StreamReport) -> String {
    match (stream.pages, stream.differing) {
        (0, _) => "nothing compared".to_owned(),
        (_, 0) => format!("equal; {}", bound(stream.non_empty, stream.bound)),
        (_, 1) => "1 page differs".to_owned(),
        (_, differing) => format!("{} pages differ", grouped(differing)),
    }
}

fn verdict(report: &Report) -> String {
    let differing: u64 = report.streams.iter().map(|stream| stream.differing).sum();
    match (report.pages, differing) {
        (0, _) => "nothing compared".to_owned(),
        (_, 0) => format!(
            "equal: {} pages, {} of them non-empty, {} events; {}",
            grouped(report.pages),
            grouped(report.non_empty),
            grouped(report.events),
            bound(report.non_empty, report.bound)
        ),
        _ => {
            let mut kinds: Vec<&str> = Vec::new();
            for finding in report.streams.iter().flat_map(|stream| &stream.differences) {
                if !kinds.contains(&finding.kind.as_str()) {
                    kinds.push(&finding.kind);
                }
            }
            format!("differs: {}", kinds.join(", "))
        }
    }
}

/// What the equal pages say about those that were not drawn.
fn bound(non_empty: u64, bound: Option<f64>) -> String {
    match bound {
        None => "too few non-empty pages to bound anything".to_owned(),
        Some(bound) => format!(
            "under 3/{} = {} % of such pages differ (95 %)",
            grouped(non_empty),
            two_digits(bound * 100.0)
        ),
    }
}

fn write_finding(out: &mut String, finding: &Finding) -> fmt::Result {
    let line = |request| serde_json::to_string(request).unwrap_or_default();
    writeln!(out)?;
    writeln!(out, "{} in stream {}", finding.kind, finding.stream)?;
    writeln!(out, "  {}", finding.what)?;
    writeln!(out, "  request    {}", line(&finding.request))?;
    writeln!(out, "  smallest   {}", line(&finding.smallest))?;
    writeln!(out, "  subject    {}", side(&finding.subject))?;
    writeln!(out, "  reference  {}", side(&finding.reference))?;
    writeln!(out, "  repeat     {}", finding.repeat)?;
    writeln!(out)
}

fn side(side: &Side) -> String {
    let (count, events) = match side {
        Side::Failed { error, message } => return format!("{error}: {message}"),
        Side::Page { count: 0, .. } => return "no event".to_owned(),
        Side::Page { count, events } => (*count, events),
    };
    let mut text = format!("{count} event{}: ", if count == 1 { "" } else { "s" });
    for (index, event) in events.iter().take(SHOWN_EVENTS).enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}{} at {}", event.id, event.created_at);
    }
    if count > SHOWN_EVENTS {
        text.push_str(", …");
    }
    text
}

fn two_digits(percent: f64) -> String {
    let mut decimals = 0;
    let mut scaled = percent;
    while scaled < 10.0 && decimals < 9 {
        scaled *= 10.0;
        decimals += 1;
    }
    format!("{percent:.decimals$}")
}
