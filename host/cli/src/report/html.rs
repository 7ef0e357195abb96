//! A document as one page of HTML: it asks the network for nothing, runs no script, and its content
//! policy forbids both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, PreEscaped, html as markup};
use sha2::{Digest, Sha256};

use super::{Block, Cell, Column, Document, Level, Section, svg, visible};
use crate::results::GENERATOR;
use keyhole_log::visible::visible_lines;

/// The one style sheet. It is named in the content policy by its digest, so that no other is used.
const STYLE: &str = include_str!("style.css");

/// The document as a file that stands alone.
pub fn html(document: &Document) -> String {
    let title = visible(&document.title);
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!("default-src 'none'; style-src 'sha256-{style}'");
    let page = markup! {
        (PreEscaped("<!doctype html>\n"))
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="generator" content=(GENERATOR);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main {
                h1 { (title) }
                @if let Some(verdict) = &document.verdict {
                    section class={ "verdict " (class(verdict.level)) } {
                        p.words { (Cell::new(verdict.level, verdict.words.as_str()).shown()) }
                        (list(&verdict.reasons))
                    }
                }
                @for section in &document.sections { (section_of(section)) }
            } }
        }
    };
    page.into_string() + "\n"
}

fn section_of(section: &Section) -> Markup {
    markup! {
        "\n" section {
            @if !section.heading.is_empty() { h2 { (visible(&section.heading)) } }
            @for block in &section.blocks {
                "\n"
                @match block {
                    Block::Text(cell) => p { (inline(cell)) },
                    Block::List(cells) => (list(cells)),
                    Block::Table { columns, rows } => (table(columns, rows)),
                    Block::KeyValues(pairs) => table.pairs { tbody {
                        @for (key, cell) in pairs {
                            tr { th scope="row" { (visible(key)) } td { (inline(cell)) } } "\n"
                        }
                    } },
                    Block::Code(code) => pre { code { (visible_lines(code).join("\n")) } },
                    Block::Plot(plot) => (svg::plot(plot)),
                    Block::Stacks(stacks) => (svg::stacks(stacks)),
                }
            }
        }
    }
}

fn list(cells: &[Cell]) -> Markup {
    markup! {
        @if !cells.is_empty() { ul { @for cell in cells { li { (inline(cell)) } "\n" } } }
    }
}

fn table(columns: &[Column], rows: &[Vec<Cell>]) -> Markup {
    let side = |column: &Column| column.numbers.then_some("number");
    markup! {
        div.wide { table {
            thead { tr {
                @for column in columns { th scope="col" class=[side(column)] { (visible(&column.heading)) } }
            } }
            tbody { @for row in rows {
                tr {
                    @for (at, column) in columns.iter().enumerate() {
                        td class=[side(column)] { @if let Some(cell) = row.get(at) { (inline(cell)) } }
                    }
                }
                "\n"
            } }
        } }
    }
}

/// A cell's text, kept apart from the direction of what stands around it.
fn inline(cell: &Cell) -> Markup {
    markup! { bdi class=(class(cell.level)) { (cell.shown()) } }
}

fn class(level: Level) -> &'static str {
    match level {
        Level::Plain => "plain",
        Level::Good => "good",
        Level::Warn => "warn",
        Level::Bad => "bad",
    }
}
