//! A document as one page of HTML: it asks the network for nothing, runs no script, and its content
//! policy forbids both.

use std::fmt::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::visible::visible_lines;
use super::{Bar, Block, Cell, Column, Document, Level, Section, Verdict, shares, svg, visible};

/// The one style sheet. It is named in the content policy by its digest, so that no other is used.
const STYLE: &str = include_str!("style.css");

/// The document as a file that stands alone.
pub fn html(document: &Document) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut page, document);
    page
}

fn write_page(out: &mut String, document: &Document) -> fmt::Result {
    let title = escape(&visible(&document.title));
    let style = STANDARD.encode(Sha256::digest(STYLE));
    writeln!(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(
        out,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style}'\">"
    )?;
    writeln!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
    writeln!(out, "<meta name=\"referrer\" content=\"no-referrer\">")?;
    writeln!(out, "<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>")?;
    writeln!(out, "<h1>{title}</h1>")?;
    if let Some(verdict) = &document.verdict {
        write_verdict(out, verdict)?;
    }
    for section in &document.sections {
        write_section(out, section)?;
    }
    writeln!(out, "</main>\n</body>\n</html>")
}

fn write_verdict(out: &mut String, verdict: &Verdict) -> fmt::Result {
    let class = class(verdict.level);
    writeln!(out, "<section class=\"verdict {class}\">")?;
    let words = escape(&visible(&verdict.words));
    writeln!(out, "<p class=\"words\">{}{words}</p>", verdict.level.mark())?;
    write_list(out, &verdict.reasons)?;
    writeln!(out, "</section>")
}

fn write_section(out: &mut String, section: &Section) -> fmt::Result {
    writeln!(out, "<section>")?;
    if !section.heading.is_empty() {
        writeln!(out, "<h2>{}</h2>", escape(&visible(&section.heading)))?;
    }
    for block in &section.blocks {
        match block {
            Block::Text(cell) => writeln!(out, "<p>{}</p>", inline(cell))?,
            Block::List(cells) => write_list(out, cells)?,
            Block::Table { columns, rows } => write_table(out, columns, rows)?,
            Block::KeyValues(pairs) => write_pairs(out, pairs)?,
            Block::Code(code) => {
                writeln!(out, "<pre><code>{}</code></pre>", escape(&visible_lines(code).join("\n")))?;
            }
            Block::Bars(bars) => write_bars(out, bars)?,
            Block::Plot(plot) => svg::write_plot(out, plot)?,
            Block::Stacks(stacks) => svg::write_stacks(out, stacks)?,
        }
    }
    writeln!(out, "</section>")
}

fn write_list(out: &mut String, cells: &[Cell]) -> fmt::Result {
    if cells.is_empty() {
        return Ok(());
    }
    writeln!(out, "<ul>")?;
    for cell in cells {
        writeln!(out, "<li>{}</li>", inline(cell))?;
    }
    writeln!(out, "</ul>")
}

fn write_table(out: &mut String, columns: &[Column], rows: &[Vec<Cell>]) -> fmt::Result {
    let side = |column: &Column| if column.numbers { " class=\"number\"" } else { "" };
    writeln!(out, "<div class=\"wide\"><table>\n<thead><tr>")?;
    for column in columns {
        writeln!(out, "<th scope=\"col\"{}>{}</th>", side(column), escape(&visible(&column.heading)))?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    for row in rows {
        write!(out, "<tr>")?;
        for (at, column) in columns.iter().enumerate() {
            write!(out, "<td{}>{}</td>", side(column), row.get(at).map(inline).unwrap_or_default())?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody>\n</table></div>")
}

fn write_pairs(out: &mut String, pairs: &[(String, Cell)]) -> fmt::Result {
    writeln!(out, "<table class=\"pairs\">\n<tbody>")?;
    for (key, cell) in pairs {
        let key = escape(&visible(key));
        writeln!(out, "<tr><th scope=\"row\">{key}</th><td>{}</td></tr>", inline(cell))?;
    }
    writeln!(out, "</tbody>\n</table>")
}

/// Drawn with attributes of SVG: the content policy admits no inline style.
fn write_bars(out: &mut String, bars: &[Bar]) -> fmt::Result {
    writeln!(out, "<table class=\"bars\">\n<tbody>")?;
    for (bar, share) in bars.iter().zip(shares(bars)) {
        let words = Cell::new(bar.level, bar.words.as_str());
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"bar {}\"><svg aria-hidden=\"true\" width=\"100%\" \
             height=\"12\"><rect width=\"{:.1}%\" height=\"12\" rx=\"2\"></rect></svg></td><td>{}</td></tr>",
            escape(&visible(&bar.label)),
            class(bar.level),
            share * 100.0,
            inline(&words)
        )?;
    }
    writeln!(out, "</tbody>\n</table>")
}

/// A cell's text, kept apart from the direction of what stands around it.
fn inline(cell: &Cell) -> String {
    format!("<bdi class=\"{}\">{}</bdi>", class(cell.level), escape(&cell.shown()))
}

fn class(level: Level) -> &'static str {
    match level {
        Level::Plain => "plain",
        Level::Good => "good",
        Level::Warn => "warn",
        Level::Bad => "bad",
    }
}

/// Text that is not markup, in an element as in an attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
