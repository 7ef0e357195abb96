//! A history: what happens to a log, drawn from a seed before the log is there.

use std::fmt::{self, Display, Formatter};

use keyhole_log::dataset::Random;
use serde_json::{Value, json};

/// Most batches of a history, the first of which is one change alone.
const BATCHES: usize = 6;

/// Journal modes that a log begins in: most often the contract's own.
const MODES: [&str; 10] =
    ["delete", "delete", "delete", "delete", "delete", "truncate", "persist", "memory", "off", "wal"];

/// A kind of change, as the writer knows it.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) name: String,
    /// Whether it can be part of a transaction with others.
    pub(super) in_commit: bool,
}

/// One change. What it does, the writer knows by its name; its numbers pick among what is there then.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) kind: String,
    a: u64,
    b: u64,
    /// Whether it is of one commit with the change before.
    joined: bool,
}

impl Change {
    /// One of that name.
    pub(super) fn of(kind: &str) -> Self {
        Self { kind: kind.to_owned(), a: 1_234_567, b: 765_437, joined: false }
    }

    /// As the writer is told.
    pub(super) fn order(&self) -> Value {
        json!({"kind": self.kind, "a": self.a, "b": self.b, "joined": self.joined})
    }
}

/// Changes that come one after another before anyone is asked for a page again.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    pub(super) changes: Vec<Change>,
    /// Whether all who answer are ended before it and begin anew after it.
    pub(super) reopened: bool,
    /// Whether pages are asked for while it is made.
    pub(super) beside_pages: bool,
}

impl Batch {
    /// The names of its changes, those of one commit joined by a plus sign.
    pub(super) fn name(&self) -> String {
        let mut name = String::new();
        for change in &self.changes {
            let before = if name.is_empty() {
                ""
            } else if change.joined {
                " + "
            } else {
                ", "
            };
            name = name + before + &change.kind;
        }
        name
    }

    /// Whether it ends with a writer that is killed.
    pub(super) fn leaves_unrecovered(&self) -> bool {
        self.changes.last().is_some_and(|change| change.kind.starts_with("killed"))
    }
}

/// What happens to one log.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) seed: u64,
    /// Events that the log begins with.
    pub(super) rows: u64,
    /// The journal mode that it begins in.
    pub(super) mode: &'static str,
    /// Whether a new process is asked for pages, too, which takes longer than all others together.
    pub(super) by_command: bool,
    pub(super) batches: Vec<Batch>,
    /// Which changes of those that the seed draws are in it; None where all are.
    kept: Option<Vec<usize>>,
}

impl History {
    /// The history of a seed. Seeds that follow one another begin with each kind in turn, alone.
    pub(super) fn draw(seed: u64, kinds: &[Kind]) -> Self {
        let mut random = Random::new(seed);
        let turn = usize::try_from(seed).unwrap() % kinds.len();
        let mut draw = |kind: &Kind, joined| Change {
            kind: kind.name.clone(),
            a: random.below(1 << 31),
            b: random.below(1 << 31),
            joined,
        };
        let alone = draw(&kinds[turn], false);
        let mut random = Random::new(seed ^ 0x5eed);
        let mut batches =
            vec![Batch { changes: vec![alone], reopened: false, beside_pages: random.below(2) == 0 }];
        for _ in 0..random.below(BATCHES as u64) {
            let mut before_in_commit = false;
            let changes = (0..=random.below(4)).map(|_| {
                // The first kind is the ordinary one.
                let kind = if random.below(5) < 2 { &kinds[0] } else { random.choice(kinds) };
                let joined = before_in_commit && kind.in_commit && random.below(3) > 0;
                before_in_commit = kind.in_commit;
                draw(kind, joined)
            });
            batches.push(Batch {
                changes: changes.collect(),
                reopened: random.below(4) == 0,
                beside_pages: random.below(4) == 0,
            });
        }
        Self {
            seed,
            // The pages of a short log are proved from end to end; those of a long one are not.
            rows: if random.below(5) == 0 { 600 } else { 30 + random.below(150) },
            mode: *random.choice(&MODES[..]),
            by_command: random.below(10) == 0,
            batches,
            kept: None,
        }
    }

    /// A history of these changes, each a batch of its own, on a log of the contract's kind.
    pub(super) fn of(kinds: &[&str]) -> Self {
        let batch = |kind: &&str| Batch { changes: vec![Change::of(kind)], ..Batch::default() };
        let batches = kinds.iter().map(batch).collect();
        Self { seed: 0, rows: 40, mode: "delete", by_command: false, batches, kept: None }
    }

    /// As long as its first batches.
    pub(super) fn cut(&self, batches: usize) -> Self {
        let kept: usize = self.batches.iter().take(batches).map(|batch| batch.changes.len()).sum();
        self.with_changes(&self.changes()[..kept.min(self.changes().len())])
    }

    /// The numbers of its changes among those that its seed draws.
    pub(super) fn changes(&self) -> Vec<usize> {
        let all = self.batches.iter().map(|batch| batch.changes.len()).sum();
        self.kept.clone().unwrap_or_else(|| (0..all).collect())
    }

    /// The same with these changes only, which are among its own.
    pub(super) fn with_changes(&self, kept: &[usize]) -> Self {
        let mut numbers = self.changes().into_iter();
        let mut batches = Vec::new();
        for batch in &self.batches {
            let mut changes = batch.changes.clone();
            changes.retain(|_| numbers.next().is_some_and(|number| kept.contains(&number)));
            if !changes.is_empty() {
                batches.push(Batch { changes, ..batch.clone() });
            }
        }
        Self { batches, kept: Some(kept.to_vec()), ..self.clone() }
    }

    /// Reads what is printed: `SEED`, or `SEED/CHANGE,CHANGE…`.
    pub(super) fn read(text: &str, kinds: &[Kind]) -> Option<Self> {
        let (seed, kept) = text.split_once('/').map_or((text, None), |(seed, kept)| (seed, Some(kept)));
        let whole = Self::draw(seed.parse().ok()?, kinds);
        let Some(kept) = kept else { return Some(whole) };
        let kept: Option<Vec<usize>> = kept.split(',').map(|number| number.parse().ok()).collect();
        Some(whole.with_changes(&kept?))
    }
}

impl Display for History {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let changes: Vec<String> = self.changes().iter().map(usize::to_string).collect();
        write!(f, "{}/{}", self.seed, changes.join(","))
    }
}
