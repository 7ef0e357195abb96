//! What a strategy costs, point by point: the whole log beside the first half of it.

use crate::audit::facts::{Audit, Cost};
use crate::audit::findings::Question;
use crate::report::{Block, Cell, Section, grouped, time};

pub(super) fn section(audit: &Audit) -> Section {
    let section = super::section(audit, Question::Cost);
    let events = |log: &str| audit.cost.iter().find(|cost| cost.log == log).map_or(0, |cost| cost.events);
    if audit.cost.is_empty() {
        return section.with(Block::text("Nothing was measured."));
    }
    let rows = audit.cost.iter().filter(|cost| cost.log == "whole").map(|cost| {
        let half = audit
            .cost
            .iter()
            .find(|other| other.log == "half" && other.filter == cost.filter && other.page == cost.page);
        point(cost, half)
    });
    let intro = format!(
        "Pages of at most 50 events, on this log of {} events and on its first {} alone. Steps (of SQLite) and fuel \
         (of its own code) are exact; the time is the median of some runs on this machine, with nothing else to do.",
        grouped(events("whole")),
        grouped(events("half")),
    );
    let headings =
        ["which", "#page", "#events", "#steps", "#fuel", "#time", "#half: events", "#steps", "#fuel"];
    section.with(Block::text(intro)).with(Block::table(&headings, rows.collect()))
}

fn point(cost: &Cost, half: Option<&Cost>) -> Vec<Cell> {
    let dash = || Cell::from("-");
    let figures = |cost: &Cost| match &cost.failed {
        Some(_) => [Cell::bad("failed"), dash(), dash()],
        None => [
            grouped(cost.count).into(),
            grouped(cost.vm_steps).into(),
            cost.fuel.map_or_else(dash, |fuel| grouped(fuel).into()),
        ],
    };
    let mut row: Vec<Cell> = vec![cost.filter.clone().into(), grouped(cost.page).into()];
    row.extend(figures(cost));
    row.push(if cost.us > 0.0 { time(cost.us).into() } else { dash() });
    row.extend(half.map_or_else(|| [dash(), dash(), dash()], figures));
    row
}
