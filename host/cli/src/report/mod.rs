//! Reports as people read them: one document, shown as text or as a page of HTML.
//!
//! A document may hold text from strategies, files and policies. None of it is trusted: both renderers
//! show what is not plain text escaped (see [`visible`]), so nothing in a report can move a cursor,
//! turn a line around or become markup.

mod html;
mod plot;
mod svg;
mod text;

pub mod views;

pub use html::html;
use keyhole_log::visible::visible;
pub use plot::{Plot, Scale, ScaleKind, Series, Stack, Stacks};
pub use text::{screen, text};

pub use keyhole_log::units::{grouped, time};

/// A report.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// What it is about.
    pub title: String,
    /// What it comes to, said before everything else.
    pub verdict: Option<Verdict>,
    /// Its parts, in order.
    pub sections: Vec<Section>,
}

/// What a report comes to.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// How it is to be taken.
    pub level: Level,
    /// The verdict in a word or a sentence: `fit`, `unfit`, `widens`.
    pub words: String,
    /// Why, the weightiest first.
    pub reasons: Vec<Cell>,
}

/// A part of a report.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// The question that it answers; empty where the title says it.
    pub heading: String,
    /// The answer.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Clone, Debug)]
pub enum Block {
    /// A paragraph.
    Text(Cell),
    /// Points, one below the other.
    List(Vec<Cell>),
    /// Figures side by side.
    Table {
        /// What stands in each column.
        columns: Vec<Column>,
        /// The rows; a short one leaves its last columns empty.
        rows: Vec<Vec<Cell>>,
    },
    /// Facts by name.
    KeyValues(Vec<(String, Cell)>),
    /// Text whose lines are kept, such as SQL or a policy.
    Code(String),
    /// Lines over an axis.
    Plot(Plot),
    /// Bars of parts.
    Stacks(Stacks),
}

/// A column of a table.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its heading.
    pub heading: String,
    /// Whether it holds numbers, which stand at the right.
    pub numbers: bool,
}

/// A piece of text with a judgement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// The text as it came; the renderers escape it.
    pub text: String,
    /// How it is to be taken.
    pub level: Level,
}

/// How something is to be taken. Shown by a mark as well as a colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A fact.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// To be looked at.
    Warn,
    /// Not as it may be.
    Bad,
}

impl Section {
    /// A part with nothing in it yet.
    pub fn new(heading: impl Into<String>) -> Self {
        Self { heading: heading.into(), blocks: Vec::new() }
    }

    /// The same, with one block more.
    #[must_use]
    pub fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }
}

impl Block {
    /// A table. A heading that starts with `#` is of a column of numbers.
    pub fn table(headings: &[&str], rows: Vec<Vec<Cell>>) -> Self {
        let columns = headings.iter().map(|heading| match heading.strip_prefix('#') {
            Some(heading) => Column { heading: heading.to_owned(), numbers: true },
            None => Column { heading: (*heading).to_owned(), numbers: false },
        });
        Self::Table { columns: columns.collect(), rows }
    }

    /// A paragraph.
    pub fn text(text: impl Into<Cell>) -> Self {
        Self::Text(text.into())
    }
}

impl Cell {
    /// Text at a level.
    pub fn new(level: Level, text: impl Into<String>) -> Self {
        Self { text: text.into(), level }
    }

    /// What is as it should be.
    pub fn good(text: impl Into<String>) -> Self {
        Self::new(Level::Good, text)
    }

    /// What should be looked at.
    pub fn warn(text: impl Into<String>) -> Self {
        Self::new(Level::Warn, text)
    }

    /// What is not as it may be.
    pub fn bad(text: impl Into<String>) -> Self {
        Self::new(Level::Bad, text)
    }

    /// The text made visible, behind the level's mark.
    fn shown(&self) -> String {
        format!("{}{}", self.level.mark(), visible(&self.text))
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(Level::Plain, text)
    }
}

impl Level {
    /// Says the level where there is no colour.
    fn mark(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "✓ ",
            Self::Warn => "! ",
            Self::Bad => "✗ ",
        }
    }
}

#[cfg(test)]
mod tests;
