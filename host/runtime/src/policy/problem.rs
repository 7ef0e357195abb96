//! What is wrong with a policy: where, what, and what would be right.

use std::fmt;

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the file as a whole.
    File,
    /// On this line of the file.
    Line(usize),
    /// In this environment variable.
    Variable(String),
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, and how to mend it.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File => f.write_str(&self.what),
            Place::Line(line) => write!(f, "line {line}: {}", self.what),
            Place::Variable(name) => write!(f, "environment variable {name}: {}", self.what),
        }
    }
}

/// Most characters of a policy's own text that a problem repeats.
const SHOWN: usize = 80;

/// Most letters that are compared: a longer word is no misspelling.
const COMPARED: usize = 64;

/// Text of the policy, fit to be shown: one line, quoted, and short.
pub fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{cut:?}{more}")
}

/// Which of these was meant, or what there is to choose from.
pub fn nearest<'a>(word: &str, valid: impl Iterator<Item = &'a str> + Clone) -> String {
    let word: String = word.chars().take(COMPARED).collect::<String>().to_lowercase();
    let distance = |valid: &&str| strsim::damerau_levenshtein(&word, valid);
    match valid.clone().min_by_key(distance) {
        Some(near) if distance(&near) <= near.len().max(word.len()) / 2 => format!("did you mean {near}?"),
        Some(_) => format!("there are {}", valid.collect::<Vec<_>>().join(", ")),
        None => "there is none".to_owned(),
    }
}

/// All problems as one text, one a line.
pub fn listed(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}
