//! A page for people at a terminal: a row an event, and how to ask for the next page.

use crate::report::{Block, Cell, Document, Section};
use keyhole_log::model::{Page, Position};
use keyhole_log::units::grouped;

/// Characters of a payload that are shown.
const PAYLOAD: usize = 80;

/// The page as a table; `next` is the cursor of the next one.
pub fn document(page: &Page, next: Option<&str>) -> Document {
    let rows = page.events().map(|event| {
        let payload = String::from_utf8_lossy(event.payload);
        let mut shown: String = payload.trim().chars().take(PAYLOAD).collect();
        if shown.len() < payload.trim().len() {
            shown.push('…');
        }
        let time = jiff::Timestamp::from_second(event.created_at);
        vec![
            Cell::from(event.id.to_string()),
            time.map_or_else(|_| event.created_at.to_string(), |time| time.to_string()).into(),
            event.actor_id.to_string().into(),
            event.action.into(),
            format!("{} {}", event.resource_type, event.resource_id).into(),
            shown.into(),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let count = format!("{} events", grouped(page.len() as u64));
    let title = match page.request.position {
        Position::Page(number) => format!("page {number}: {count}"),
        Position::After(_) => count,
    };
    let mut sections = Vec::new();
    if !rows.is_empty() {
        let headings = ["#id", "time", "#actor", "action", "resource", "payload"];
        sections.push(Section::new("").with(Block::table(&headings, rows)));
    }
    if let Some(next) = next {
        sections.push(Section::new("The next page").with(Block::Code(format!("--after {next}"))));
    }
    Document { title, verdict: None, sections }
}
