//! The one table of a policy's keys: what the parser knows, what `policy new`, `policy show` and the
//! documentation print.

use std::sync::LazyLock;

use crate::limits::{CEILINGS, LIMITS, Quantity, Unit};
use crate::log::gate::FUNCTIONS;
use crate::policy::grants::{INTERFACES, REFRESH_AFTER, SHOWN_COLUMNS, VIRTUAL_TABLES, WASI};
use crate::policy::number;

/// The form of a value.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A number between two bounds.
    Number(Unit, u64, u64),
    /// A part of the whole, from 0 to 1.
    Share,
    /// One line of text.
    Text,
    /// The path of a file, relative to the policy's own folder.
    Path,
    /// The name of a strategy, built in or with a stanza.
    Strategy,
    /// `sha256:` and 64 hexadecimal digits.
    Digest,
    /// The name of a key in `[keys]`.
    KeyName,
    /// A day, or a day and a time.
    Date,
    /// Some of these words.
    Words(&'static [&'static str]),
    /// `fresh` or `warm[:USES]`.
    Instances,
    /// A table with the keys of that section.
    Table(&'static str),
}

impl Form {
    /// What may be written, for people.
    pub fn allowed(self) -> String {
        match self {
            Self::Number(unit, ..) => number::form(unit).to_owned(),
            Self::Share => "a number from 0 to 1, such as 0.001".to_owned(),
            Self::Text => "a text of one line, at most 500 characters".to_owned(),
            Self::Path => "the path of a file, relative to the policy's folder".to_owned(),
            Self::Strategy => "the name of a strategy: built in, or with a stanza".to_owned(),
            Self::Digest => {
                "\"sha256:\" and 64 hexadecimal digits, as `keyhole inspect FILE` prints it".to_owned()
            }
            Self::KeyName => "the name of a key in [keys]".to_owned(),
            Self::Date => "a day, such as 2026-11-20, or a time, such as 2026-11-20T09:30:00Z".to_owned(),
            Self::Words(words) => format!("a list of {}", words.join(", ")),
            Self::Instances => "\"fresh\", \"warm\" or \"warm:USES\"".to_owned(),
            Self::Table(_) => "a table".to_owned(),
        }
    }
}

/// When a changed value is in effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// After a restart.
    Restart,
    /// From the next time that the policy is read.
    Reload,
    /// At the first start; afterwards the state folder knows.
    FirstStart,
}

impl Changes {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::FirstStart => "first start",
        }
    }
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The table it stands in: `host`, `limits`, `strategy`, ….
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What may be written.
    pub form: Form,
    /// Its value where the policy says nothing, as it would be written; empty if there is none.
    pub default: &'static str,
    /// The key of `[host]` that it may not exceed.
    pub ceiling: Option<&'static str>,
    /// When a change is in effect.
    pub changes: Changes,
    /// What it means.
    pub meaning: &'static str,
    /// Why the default is what it is.
    pub reason: &'static str,
}

impl Key {
    /// Section and name.
    pub fn path(&self) -> String {
        if self.section.is_empty() { self.name.to_owned() } else { format!("{}.{}", self.section, self.name) }
    }
}

/// Every key, in the order in which a policy is written.
pub static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let mut keys = vec![VERSION];
    keys.extend(CEILINGS.iter().map(|quantity| of(quantity, "host", Changes::Restart)));
    keys.extend(LIMITS.iter().map(|quantity| of(quantity, "limits", Changes::Reload)));
    keys.extend(SERVE);
    keys.extend(SCRATCH);
    keys.extend(STRATEGY);
    keys
});

/// The keys of a section.
pub fn of_section(section: &str) -> impl Iterator<Item = &'static Key> + Clone {
    KEYS.iter().filter(move |key| key.section == section)
}

/// The key of that name in a section.
pub fn find(section: &str, name: &str) -> Option<&'static Key> {
    of_section(section).find(|key| key.name == name)
}

fn of(quantity: &Quantity, section: &'static str, changes: Changes) -> Key {
    // A switch of the same name bounds nothing.
    let bounds = |ceiling: &Quantity| ceiling.name == quantity.name && ceiling.unit == quantity.unit;
    let ceiling = section == "limits" && CEILINGS.iter().any(bounds);
    Key {
        section,
        name: quantity.name,
        form: Form::Number(quantity.unit, quantity.least, quantity.most),
        default: number::written(quantity.default, quantity.unit).leak(),
        ceiling: ceiling.then_some(quantity.name),
        changes,
        meaning: quantity.meaning,
        reason: quantity.reason,
    }
}

const VERSION: Key = Key {
    section: "",
    name: "version",
    form: Form::Number(Unit::Count, 1, 1),
    default: "1",
    ceiling: None,
    changes: Changes::Restart,
    meaning: "Version of the policy's form",
    reason: "so that a later program never reads an old policy in a new sense",
};

/// What most keys have in common.
const PLAIN: Key = Key { default: "", changes: Changes::Reload, ..VERSION };

const SERVE: [Key; 7] = {
    const SERVE: Key = Key { section: "serve", ..PLAIN };
    const BREAKER: Key = Key { section: "serve.breaker", ..PLAIN };
    [
        Key {
            name: "active",
            form: Form::Strategy,
            default: "\"keyset\"",
            changes: Changes::FirstStart,
            meaning: "The strategy that `serve` starts with",
            reason: "built in, proven equal to the baseline, and fast at any depth",
            ..SERVE
        },
        Key {
            name: "reference",
            form: Form::Strategy,
            default: "\"native-baseline\"",
            meaning: "The strategy that a share of the pages is compared with",
            reason: "plain SQL of the host's own, the definition of a right page",
            ..SERVE
        },
        Key {
            name: "reference_share",
            form: Form::Share,
            default: "0.001",
            meaning: "The share of the pages that is compared, later and off the request's path",
            reason: "a page by OFFSET costs some hundred times a page by key: this adds a tenth",
            ..SERVE
        },
        Key {
            name: "proof_time",
            form: Form::Number(Unit::Time, 1_000, 86_400_000),
            default: "\"1h\"",
            meaning: "The time in which a strategy is to be indexed and proven before it may serve",
            reason: "some 20 s at 50,000 events; where the reference pages by OFFSET it grows with the log",
            ..SERVE
        },
        Key {
            name: "breaker",
            form: Form::Table("serve.breaker"),
            meaning: "When a failing strategy is taken out",
            reason: "",
            ..SERVE
        },
        Key {
            name: "failures",
            form: Form::Number(Unit::Count, 1, 1_000_000),
            default: "5",
            meaning: "Failures of the strategy's own that open the breaker",
            reason: "one may be a strange request, five are a broken strategy; a lie opens it at once",
            ..BREAKER
        },
        Key {
            name: "within",
            form: Form::Number(Unit::Time, 1_000, 86_400_000),
            default: "\"1m\"",
            meaning: "The time in which they are counted",
            reason: "long enough for a rare request to come back, short enough to forget a bad hour",
            ..BREAKER
        },
    ]
};

const SCRATCH: [Key; 3] = {
    const SCRATCH: Key = Key { section: "scratch", ..PLAIN };
    [
        Key {
            name: "quota",
            form: Form::Number(Unit::Bytes, 1 << 20, 1 << 40),
            default: "\"1GiB\"",
            meaning: "Most bytes of one strategy's scratch: database, log and temporary files together",
            reason: "the keyset strategy's tables at 15,000,000 events",
            ..SCRATCH
        },
        Key {
            name: "total",
            form: Form::Number(Unit::Bytes, 1 << 20, 1 << 44),
            default: "\"4GiB\"",
            meaning: "Most bytes of all scratch in the cache folder; the least recently used goes first",
            reason: "an active strategy, its successor, and the one to roll back to",
            ..SCRATCH
        },
        Key {
            name: "refresh_after",
            form: Form::Number(Unit::Count, 1, 5_000),
            default: "1_000",
            meaning: "Events that may be uncovered before scratch is refreshed",
            reason: "reading a tail of 1,000 uncovered events costs a page about as much as its payloads do",
            ..SCRATCH
        },
    ]
};

const _: () = assert!(REFRESH_AFTER == 1_000, "the default of scratch.refresh_after is written above");

const STRATEGY: [Key; 19] = {
    const STRATEGY: Key = Key { section: "strategy", ..PLAIN };
    const APPROVED: Key = Key { section: "strategy.approved", ..PLAIN };
    [
        Key {
            name: "file",
            form: Form::Path,
            meaning: "The component, found under the stanza's name",
            reason: "needed only for that: a file on the command line is known by its digest",
            ..STRATEGY
        },
        Key {
            name: "digest",
            form: Form::Digest,
            meaning: "The only bytes that get these grants",
            reason: "a digest or a key is needed; if both are named, both must hold",
            ..STRATEGY
        },
        Key {
            name: "key",
            form: Form::KeyName,
            meaning: "Whose signature, in FILE.minisig beside it, the component must carry",
            reason: "a signed successor gets the same grants and never more",
            ..STRATEGY
        },
        Key {
            name: "interfaces",
            form: Form::Words(&INTERFACES),
            default: "[]",
            meaning: "Interfaces of the project's package that it may import",
            reason: "nothing is granted that is not named",
            ..STRATEGY
        },
        Key {
            name: "columns",
            form: Form::Words(&SHOWN_COLUMNS),
            default: "[]",
            meaning: "Columns of the log that its SQL may read, and that its scratch is fed with",
            reason: "nothing is granted that is not named",
            ..STRATEGY
        },
        Key {
            name: "functions",
            form: Form::Words(FUNCTIONS),
            default: "[]",
            meaning: "Functions of SQLite that its SQL may call",
            reason: "nothing is granted that is not named; those that can be are deterministic and quick",
            ..STRATEGY
        },
        Key {
            name: "virtual_tables",
            form: Form::Words(&VIRTUAL_TABLES),
            default: "[]",
            meaning: "Modules of virtual tables that it may use, in scratch only",
            reason: "their code is larger than SQLite's core and seldom needed",
            ..STRATEGY
        },
        Key {
            name: "wasi",
            form: Form::Words(&WASI),
            default: "[]",
            meaning: "WASI interfaces that it may import, each inert; \"inert\" grants all of them",
            reason: "a strategy needs none; components of some toolchains import them all the same",
            ..STRATEGY
        },
        Key {
            name: "instances",
            form: Form::Instances,
            meaning: "How long an instance lives",
            reason: "the command line decides; fresh, if it says nothing: nothing leaks between requests",
            ..STRATEGY
        },
        Key {
            name: "at_once",
            form: Form::Number(Unit::Count, 1, 1_024),
            meaning: "Requests of it that may run at once",
            reason: "as many as there are workers, if it says nothing",
            ..STRATEGY
        },
        Key {
            name: "notes",
            form: Form::Number(Unit::Switch, 0, 1),
            default: "true",
            meaning: "Whether its notes are kept for the operator",
            reason: "they say why it failed; no client sees them",
            ..STRATEGY
        },
        Key {
            name: "quota",
            form: Form::Number(Unit::Bytes, 1 << 20, 1 << 40),
            meaning: "Most bytes of its scratch",
            reason: "as scratch.quota, if it says nothing",
            ..STRATEGY
        },
        Key {
            name: "refresh_after",
            form: Form::Number(Unit::Count, 1, 5_000),
            meaning: "Events that may be uncovered before its scratch is refreshed",
            reason: "as scratch.refresh_after, if it says nothing",
            ..STRATEGY
        },
        Key {
            name: "limits",
            form: Form::Table("limits"),
            meaning: "Its own limits, either way from [limits], below the host's ceilings",
            reason: "as [limits], where it says nothing",
            ..STRATEGY
        },
        Key {
            name: "approved",
            form: Form::Table("strategy.approved"),
            meaning: "Who let it in, when and why: for people, checked by nobody",
            reason: "",
            ..STRATEGY
        },
        Key { name: "by", form: Form::Text, meaning: "Who approved it", reason: "", ..APPROVED },
        Key { name: "at", form: Form::Date, meaning: "When", reason: "", ..APPROVED },
        Key { name: "reason", form: Form::Text, meaning: "Why", reason: "", ..APPROVED },
        Key {
            name: "audit",
            form: Form::Digest,
            meaning: "The digest of the audit that was read",
            reason: "",
            ..APPROVED
        },
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_there_twice_and_each_has_a_meaning() {
        for (at, key) in KEYS.iter().enumerate() {
            assert!(!key.meaning.is_empty(), "{}", key.path());
            assert!(KEYS.iter().skip(at + 1).all(|other| other.path() != key.path()), "{}", key.path());
        }
    }
}
