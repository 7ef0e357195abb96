//! A document for a terminal, a log, or a code block of a page.
//!
//! Lines are broken by `textwrap`. Columns are put together here: comfy-table colours a cell only through
//! crossterm, which would come in for that alone.

use std::io::IsTerminal;

use textwrap::{Options, WordSplitter, wrap};
use unicode_width::UnicodeWidthStr;

use super::plot::{Plot, Stacks};
use super::{Block, Cell, Column, Document, Level, Section, Verdict, visible};
use keyhole_log::environment;
use keyhole_log::visible::visible_lines;

/// The width where there is no terminal: as wide as the reports of a log or a README may be.
const WIDTH: usize = 110;

/// Narrowest screen that is written for.
const NARROWEST: usize = 40;

/// Narrowest column that a table is squeezed to.
const NARROWEST_COLUMN: usize = 8;

/// What stands before everything below a heading.
const INDENT: &str = "  ";

/// Width and colour for standard output. Colour only on a terminal, and not where `NO_COLOR` is set.
pub fn screen() -> (usize, bool) {
    let stdout = std::io::stdout();
    let refused = environment::variable("NO_COLOR").is_some();
    let dumb = environment::variable("TERM").is_some_and(|value| value == "dumb");
    let colour = stdout.is_terminal() && !refused && !dumb;
    let width = rustix::termios::tcgetwinsize(&stdout).ok().map(|size| usize::from(size.ws_col));
    (width.filter(|width| *width > 0).unwrap_or(WIDTH), colour)
}

/// The document as text, ending with a newline: no line is longer than `width` where its words allow
/// that. Without colour it holds no escape sequence at all.
pub fn text(document: &Document, width: usize, colour: bool) -> String {
    let mut screen = Screen { lines: Vec::new(), width: width.max(NARROWEST), colour };
    screen.heading(&document.title);
    if let Some(verdict) = &document.verdict {
        screen.lines.push(String::new());
        screen.verdict(verdict);
    }
    for section in &document.sections {
        screen.lines.push(String::new());
        screen.section(section);
    }
    screen.lines.join("\n") + "\n"
}

struct Screen {
    lines: Vec<String>,
    width: usize,
    colour: bool,
}

impl Screen {
    fn heading(&mut self, words: &str) {
        for line in lines(&visible(words), self.width) {
            self.lines.push(self.painted("1", &line));
        }
    }

    fn verdict(&mut self, verdict: &Verdict) {
        let words = Cell::new(verdict.level, verdict.words.as_str());
        for line in lines(&words.shown(), self.width) {
            self.lines.push(self.painted("1", &self.levelled(verdict.level, &line)));
        }
        self.points(&verdict.reasons);
    }

    fn section(&mut self, section: &Section) {
        if !section.heading.is_empty() {
            self.heading(&section.heading);
        }
        for (index, block) in section.blocks.iter().enumerate() {
            // A paragraph introduces what follows it.
            let before = index.checked_sub(1).and_then(|index| section.blocks.get(index));
            if before.is_some_and(|before| !matches!(before, Block::Text(_))) {
                self.lines.push(String::new());
            }
            match block {
                Block::Text(cell) => self.hanging("", cell),
                Block::List(cells) => self.points(cells),
                Block::Table { columns, rows } => self.table(columns, rows),
                Block::KeyValues(pairs) => self.pairs(pairs),
                Block::Code(code) => {
                    // Never broken: it is to be copied.
                    self.lines
                        .extend(visible_lines(code).iter().map(|line| format!("{INDENT}{INDENT}{line}")));
                }
                Block::Plot(plot) => self.ends(plot),
                Block::Stacks(stacks) => self.stacks(stacks),
            }
        }
    }

    /// A plot cannot be drawn here: where each of its lines begins and ends.
    fn ends(&mut self, plot: &Plot) {
        self.hanging("", &Cell::from(plot.title.as_str()));
        let ends = plot.series.iter().map(|series| {
            let said = |(at, value): &(f64, f64)| format!("{} at {}", plot.y.said(*value), plot.x.at(*at));
            let from_to: Vec<String> =
                series.points.first().into_iter().chain(series.points.last()).map(said).collect();
            Cell::from(format!("{}: {}", series.name, from_to.join(" to ")))
        });
        self.points(&ends.collect::<Vec<_>>());
    }

    fn stacks(&mut self, stacks: &Stacks) {
        self.hanging("", &Cell::from(stacks.title.as_str()));
        let words = stacks.stacks.iter().map(|stack| Cell::from(format!("{}: {}", stack.label, stack.words)));
        self.points(&words.collect::<Vec<_>>());
    }

    fn points(&mut self, cells: &[Cell]) {
        for cell in cells {
            self.hanging("- ", cell);
        }
    }

    fn pairs(&mut self, pairs: &[(String, Cell)]) {
        let keys: Vec<String> = pairs.iter().map(|(key, _)| visible(key)).collect();
        let longest = keys.iter().map(|key| key.width()).max().unwrap_or(0).min(self.width / 3);
        for (key, (_, cell)) in keys.iter().zip(pairs) {
            let mut key = lines(key, longest);
            let last = key.pop().unwrap_or_default();
            self.lines.extend(key.iter().map(|line| format!("{INDENT}{line}")));
            self.hanging(&(padded(&last, longest, false) + INDENT), cell);
        }
    }

    /// A cell behind a label; its further lines stand below its first.
    fn hanging(&mut self, label: &str, cell: &Cell) {
        let before = INDENT.len() + label.width();
        for (index, line) in lines(&cell.shown(), self.width.saturating_sub(before)).iter().enumerate() {
            let label = if index == 0 { label.to_owned() } else { " ".repeat(label.width()) };
            let line = format!("{INDENT}{label}{}", self.levelled(cell.level, line));
            self.lines.push(line.trim_end().to_owned());
        }
    }

    fn table(&mut self, columns: &[Column], rows: &[Vec<Cell>]) {
        let heads: Vec<Cell> = columns.iter().map(|column| Cell::from(column.heading.as_str())).collect();
        let natural = (0..columns.len()).map(|at| {
            let cells = rows.iter().chain([&heads]).filter_map(|row| row.get(at));
            cells.map(|cell| cell.shown().width()).max().unwrap_or(0)
        });
        let mut widths: Vec<usize> = natural.collect();
        let room = self.width.saturating_sub(INDENT.len() * columns.len());
        while widths.iter().sum::<usize>() > room {
            // The widest gives way first.
            let Some(widest) = widths.iter_mut().max().filter(|width| **width > NARROWEST_COLUMN) else {
                break;
            };
            *widest -= 1;
        }
        self.row(columns, &widths, &heads);
        let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        self.lines.push(format!("{INDENT}{}", rules.join(INDENT)));
        for row in rows {
            self.row(columns, &widths, row);
        }
    }

    fn row(&mut self, columns: &[Column], widths: &[usize], row: &[Cell]) {
        let wrapped: Vec<_> =
            row.iter().zip(widths).map(|(cell, width)| lines(&cell.shown(), *width)).collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        for at in 0..height {
            let mut line = String::new();
            for (((cell, lines), column), width) in row.iter().zip(&wrapped).zip(columns).zip(widths) {
                let piece = padded(lines.get(at).map_or("", String::as_str), *width, column.numbers);
                line = line + INDENT + &self.levelled(cell.level, &piece);
            }
            self.lines.push(line.trim_end().to_owned());
        }
    }

    fn levelled(&self, level: Level, piece: &str) -> String {
        match level {
            Level::Plain => piece.to_owned(),
            Level::Good => self.painted("32", piece),
            Level::Warn => self.painted("33", piece),
            Level::Bad => self.painted("31", piece),
        }
    }

    fn painted(&self, code: &str, piece: &str) -> String {
        if self.colour { format!("\x1b[{code}m{piece}\x1b[0m") } else { piece.to_owned() }
    }
}

/// The text in lines of at most `width` columns, broken between words where that is possible.
fn lines(text: &str, width: usize) -> Vec<String> {
    let options = Options::new(width.max(1)).word_splitter(WordSplitter::NoHyphenation);
    wrap(text, options).into_iter().map(String::from).collect()
}

/// The text with spaces to the given width, before it or after it.
fn padded(text: &str, width: usize, at_right: bool) -> String {
    let spaces = " ".repeat(width.saturating_sub(text.width()));
    if at_right { spaces + text } else { text.to_owned() + &spaces }
}
