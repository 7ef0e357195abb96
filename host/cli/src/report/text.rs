//! A document for a terminal, a log, or a code block of a page.

use unicode_width::UnicodeWidthStr;

use super::chart::{Plot, Stacks};
use super::layout::{pad, squeeze, wrap};
use super::visible::visible_lines;
use super::{Bar, Block, Cell, Column, Document, Level, Section, Verdict, shares, visible};

/// Narrowest screen that is written for.
const NARROWEST: usize = 40;

/// How long the longest bar is.
const BAR: usize = 30;

/// What stands before everything below a heading.
const INDENT: &str = "  ";

/// The document as text, ending with a newline: no line is longer than `width` where its words allow
/// that. Without colour it holds no escape sequence at all.
pub fn text(document: &Document, width: usize, colour: bool) -> String {
    let mut screen = Screen { lines: Vec::new(), width: width.max(NARROWEST), colour };
    screen.document(document);
    screen.lines.join("\n") + "\n"
}

struct Screen {
    lines: Vec<String>,
    width: usize,
    colour: bool,
}

impl Screen {
    fn document(&mut self, document: &Document) {
        for line in wrap(&visible(&document.title), self.width) {
            let line = self.bold(&line);
            self.lines.push(line);
        }
        if let Some(verdict) = &document.verdict {
            self.lines.push(String::new());
            self.verdict(verdict);
        }
        for section in &document.sections {
            self.lines.push(String::new());
            self.section(section);
        }
    }

    fn verdict(&mut self, verdict: &Verdict) {
        let words = format!("{}{}", verdict.level.mark(), visible(&verdict.words));
        for line in wrap(&words, self.width) {
            let line = self.paint(verdict.level, &line);
            let line = self.bold(&line);
            self.lines.push(line);
        }
        self.points(&verdict.reasons);
    }

    fn section(&mut self, section: &Section) {
        if !section.heading.is_empty() {
            for line in wrap(&visible(&section.heading), self.width) {
                let line = self.bold(&line);
                self.lines.push(line);
            }
        }
        for (index, block) in section.blocks.iter().enumerate() {
            // A paragraph introduces what follows it.
            let before = index.checked_sub(1).and_then(|index| section.blocks.get(index));
            if before.is_some_and(|before| !matches!(before, Block::Text(_))) {
                self.lines.push(String::new());
            }
            match block {
                Block::Text(cell) => self.hanging(INDENT, "", cell),
                Block::List(cells) => self.points(cells),
                Block::Table { columns, rows } => self.table(columns, rows),
                Block::KeyValues(pairs) => self.pairs(pairs),
                Block::Code(code) => {
                    // Never broken: it is to be copied.
                    let lines = visible_lines(code);
                    self.lines.extend(lines.iter().map(|line| format!("{INDENT}{INDENT}{line}")));
                }
                Block::Bars(bars) => self.bars(bars),
                Block::Plot(plot) => self.ends(plot),
                Block::Stacks(stacks) => self.stacks(stacks),
            }
        }
    }

    /// A plot cannot be drawn here: where each of its lines begins and ends.
    fn ends(&mut self, plot: &Plot) {
        self.hanging(INDENT, "", &Cell::from(plot.title.as_str()));
        let ends = plot.series.iter().map(|series| {
            let said = |(at, value): &(f64, f64)| format!("{} at {}", plot.y.said(*value), plot.x.at(*at));
            let from_to: Vec<String> =
                series.points.first().into_iter().chain(series.points.last()).map(said).collect();
            Cell::from(format!("{}: {}", series.name, from_to.join(" to ")))
        });
        self.points(&ends.collect::<Vec<_>>());
    }

    fn stacks(&mut self, stacks: &Stacks) {
        self.hanging(INDENT, "", &Cell::from(stacks.title.as_str()));
        let words = stacks.stacks.iter().map(|stack| Cell::from(format!("{}: {}", stack.label, stack.words)));
        self.points(&words.collect::<Vec<_>>());
    }

    fn points(&mut self, cells: &[Cell]) {
        for cell in cells {
            self.hanging(INDENT, "- ", cell);
        }
    }

    fn pairs(&mut self, pairs: &[(String, Cell)]) {
        let keys: Vec<String> = pairs.iter().map(|(key, _)| visible(key)).collect();
        let longest = keys.iter().map(|key| key.width()).max().unwrap_or(0).min(self.width / 3);
        for (key, (_, cell)) in keys.iter().zip(pairs) {
            let mut key = wrap(key, longest);
            let last = key.pop().unwrap_or_default();
            self.lines.extend(key.iter().map(|line| format!("{INDENT}{line}")));
            self.hanging(INDENT, &(pad(&last, longest, false) + "  "), cell);
        }
    }

    /// A cell behind a label; its further lines stand below its first.
    fn hanging(&mut self, indent: &str, label: &str, cell: &Cell) {
        let before = indent.len() + label.width();
        for (index, line) in wrap(&cell.shown(), self.width.saturating_sub(before)).iter().enumerate() {
            let label = if index == 0 { label.to_owned() } else { " ".repeat(label.width()) };
            let line = self.paint(cell.level, line);
            self.lines.push(format!("{indent}{label}{line}").trim_end().to_owned());
        }
    }

    fn table(&mut self, columns: &[Column], rows: &[Vec<Cell>]) {
        let heads: Vec<Cell> = columns.iter().map(|column| Cell::from(column.heading.as_str())).collect();
        let natural = (0..columns.len()).map(|at| {
            let cells = rows.iter().chain([&heads]).filter_map(|row| row.get(at));
            cells.map(|cell| cell.shown().width()).max().unwrap_or(0)
        });
        let gaps = INDENT.len() * columns.len();
        let widths = squeeze(natural.collect(), self.width.saturating_sub(gaps));
        self.row(columns, &widths, &heads);
        let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        self.lines.push(format!("{INDENT}{}", rules.join(INDENT)));
        for row in rows {
            self.row(columns, &widths, row);
        }
    }

    fn row(&mut self, columns: &[Column], widths: &[usize], row: &[Cell]) {
        let wrapped: Vec<Vec<String>> =
            row.iter().zip(widths).map(|(cell, width)| wrap(&cell.shown(), *width)).collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        for at in 0..height {
            let mut line = String::new();
            for (((cell, lines), column), width) in row.iter().zip(&wrapped).zip(columns).zip(widths) {
                let piece = lines.get(at).map_or("", String::as_str);
                line.push_str(INDENT);
                line.push_str(&self.paint(cell.level, &pad(piece, *width, column.numbers)));
            }
            self.lines.push(line.trim_end().to_owned());
        }
    }

    fn bars(&mut self, bars: &[Bar]) {
        let labels: Vec<String> = bars.iter().map(|bar| visible(&bar.label)).collect();
        let longest = labels.iter().map(|label| label.width()).max().unwrap_or(0).min(self.width / 3);
        for ((bar, label), share) in bars.iter().zip(&labels).zip(shares(bars)) {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let length = (share * BAR as f64).round() as usize;
            // Something is never shown as nothing.
            let length = if share > 0.0 { length.max(1) } else { 0 };
            let drawn = self.paint(bar.level, &pad(&"█".repeat(length), BAR, false));
            for (index, line) in wrap(label, longest).iter().enumerate() {
                let label = pad(line, longest, false);
                if index == 0 {
                    let words = format!("{}{}", bar.level.mark(), visible(&bar.words));
                    self.lines.push(format!("{INDENT}{label}  {drawn}  {words}"));
                } else {
                    self.lines.push(format!("{INDENT}{}", label.trim_end()));
                }
            }
        }
    }

    fn bold(&self, line: &str) -> String {
        if self.colour { format!("\x1b[1m{line}\x1b[0m") } else { line.to_owned() }
    }

    fn paint(&self, level: Level, piece: &str) -> String {
        let code = match level {
            Level::Plain => return piece.to_owned(),
            Level::Good => 32,
            Level::Warn => 33,
            Level::Bad => 31,
        };
        if self.colour { format!("\x1b[{code}m{piece}\x1b[0m") } else { piece.to_owned() }
    }
}
