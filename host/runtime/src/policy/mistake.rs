//! What is wrong with a policy: where it stands, what it is, and what would be right.

use std::fmt;

/// Where a value of a policy comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The file as a whole.
    File,
    /// This line of the file.
    Line(usize),
    /// This environment variable.
    Variable(String),
}

/// One thing that is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyMistake {
    /// Where it stands.
    pub origin: Origin,
    /// What is wrong, and how to mend it.
    pub what: String,
}

impl fmt::Display for PolicyMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File => f.write_str(&self.what),
            Origin::Line(line) => write!(f, "line {line}: {}", self.what),
            Origin::Variable(name) => write!(f, "environment variable {name}: {}", self.what),
        }
    }
}

/// Everything that is wrong with a policy, as it is found.
#[derive(Debug, Default)]
pub(super) struct Mistakes(Vec<PolicyMistake>);

impl Mistakes {
    pub(super) fn add(&mut self, origin: Origin, what: impl Into<String>) {
        self.0.push(PolicyMistake { origin, what: what.into() });
    }

    /// All of them in the order of the lines, each once.
    pub(super) fn all(mut self) -> Vec<PolicyMistake> {
        self.0.sort();
        self.0.dedup();
        self.0
    }

    /// The first of them in the order of the lines, `most` at most.
    pub(super) fn first(self, most: usize) -> Self {
        let mut all = self.all();
        all.truncate(most);
        Self(all)
    }
}

/// Most characters of a policy's own text that a mistake repeats.
const SHOWN: usize = 80;

/// Most letters that are compared: a longer word is no misspelling.
const COMPARED: usize = 64;

/// Text of the policy, fit to be shown: one line, quoted, and short.
pub(super) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{cut:?}{more}")
}

/// Which of these was meant, or what there is to choose from.
pub(super) fn nearest<'a>(word: &str, valid: impl Iterator<Item = &'a str> + Clone) -> String {
    let word: String = word.chars().take(COMPARED).collect::<String>().to_lowercase();
    let distance = |valid: &&str| strsim::damerau_levenshtein(&word, valid);
    match valid.clone().min_by_key(distance) {
        Some(near) if distance(&near) <= near.len().max(word.len()) / 2 => format!("did you mean {near}?"),
        Some(_) => format!("there are {}", valid.collect::<Vec<_>>().join(", ")),
        None => "there is none".to_owned(),
    }
}
