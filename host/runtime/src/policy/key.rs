//! The one table of a policy's keys: what the parser knows, what `policy new`, `policy show` and the
//! documentation print.

use std::sync::LazyLock;

use toml::de::DeValue;

use crate::policy::value::{self, Form, Value};
use keyhole_log::grants::{FUNCTIONS, INTERFACES, REFRESH_AFTER, SHOWN_COLUMNS, VIRTUAL_TABLES, WASI_WORDS};
use keyhole_log::limits::{CEILINGS, LIMITS, Quantity, Unit};

const RESTART: &str = "restart";
pub(super) const RELOAD: &str = "reload";
/// At the first start; afterwards the state folder knows.
const FIRST_START: &str = "first start";

/// One key of a policy.
#[derive(Clone, Copy, Debug)]
pub(super) struct PolicyKey {
    /// The table that it stands in: `host`, `limits`, `strategy`, ….
    pub(super) table: &'static str,
    pub(super) name: &'static str,
    pub(super) form: Form,
    /// Its value where the policy says nothing, as it would be written; empty if there is none.
    pub(super) default: &'static str,
    /// Whether it may not exceed the key of the same name in `[host]`.
    pub(super) under_ceiling: bool,
    /// What a change of it needs to be in effect.
    pub(super) changes: &'static str,
    pub(super) meaning: &'static str,
    /// Why the default is what it is.
    pub(super) reason: &'static str,
}

impl PolicyKey {
    /// Table and name.
    pub(super) fn path(&self) -> String {
        if self.table.is_empty() { self.name.to_owned() } else { format!("{}.{}", self.table, self.name) }
    }

    /// Its value where the policy says nothing.
    pub(super) fn default_value(&self) -> Option<Value> {
        let value = DeValue::parse(self.default).ok()?;
        value::read(value.get_ref(), self.form).ok()
    }
}

/// Every key, in the order in which a policy is written.
pub(super) static KEYS: LazyLock<Vec<PolicyKey>> = LazyLock::new(|| {
    let mut keys = VERSION.to_vec();
    keys.extend(CEILINGS.iter().map(|quantity| of(quantity, "host", RESTART)));
    keys.extend(LIMITS.iter().map(|quantity| of(quantity, "limits", RELOAD)));
    keys.extend(OTHERS);
    keys
});

/// The keys of a table.
pub(super) fn of_table(table: &str) -> impl Iterator<Item = &'static PolicyKey> + Clone {
    KEYS.iter().filter(move |key| key.table == table)
}

/// The key of that name in a table.
pub(super) fn find(table: &str, name: &str) -> Option<&'static PolicyKey> {
    of_table(table).find(|key| key.name == name)
}

fn of(quantity: &Quantity, table: &'static str, changes: &'static str) -> PolicyKey {
    // A switch of the same name bounds nothing.
    let bounds = |ceiling: &Quantity| ceiling.name == quantity.name && ceiling.unit == quantity.unit;
    PolicyKey {
        table,
        name: quantity.name,
        form: Form::Number(quantity.unit, quantity.least, quantity.most),
        default: value::number_written(quantity.default, quantity.unit).leak(),
        under_ceiling: table == "limits" && CEILINGS.iter().any(bounds),
        changes,
        meaning: quantity.meaning,
        reason: quantity.reason,
    }
}

/// Declares the keys of tables, a line each for: its form, its default, when a change is in effect; its meaning; the
/// reason of its default.
macro_rules! keys {
    ($($table:literal: { $($name:literal $form:expr, $default:literal, $changes:ident,
        $meaning:literal, $reason:literal;)* })*) => {
        [$($(PolicyKey {
            table: $table,
            name: $name,
            form: $form,
            default: $default,
            under_ceiling: false,
            changes: $changes,
            meaning: $meaning,
            reason: $reason,
        },)*)*]
    };
}

const VERSION: [PolicyKey; 1] = keys! {
    "": {
        "version" Form::Number(Unit::Count, 1, 1), "1", RESTART,
            "Version of the policy's form",
            "so that a later program never reads an old policy in a new sense";
    }
};

const _: () = assert!(REFRESH_AFTER == 1_000, "the default of scratch.refresh_after is written below");

const OTHERS: [PolicyKey; 30] = keys! {
    "serve": {
        "active" Form::Strategy, "\"keyset\"", FIRST_START,
            "The strategy that `serve` starts with",
            "built in, proven equal to the baseline, and fast at any depth";
        "reference" Form::Strategy, "\"native-baseline\"", RELOAD,
            "The strategy that a share of the pages is compared with",
            "plain SQL of the host's own, the definition of a right page";
        "reference_share" Form::Share, "0.001", RELOAD,
            "The share of the pages that is compared, later and off the request's path",
            "a page by OFFSET costs some hundred times a page by key: this adds a tenth";
        "proof_time" Form::Number(Unit::Time, 1_000, 86_400_000), "\"1h\"", RELOAD,
            "The time in which a strategy is to be indexed and proven before it may serve",
            "some 20 s at 50,000 events; where the reference pages by OFFSET it grows with the log";
        "breaker" Form::Table("serve.breaker"), "", RELOAD,
            "When a failing strategy is taken out",
            "";
    }
    "serve.breaker": {
        "failures" Form::Number(Unit::Count, 1, 1_000_000), "5", RELOAD,
            "Failures of the strategy's own that open the breaker",
            "one may be a strange request, five are a broken strategy; a lie opens it at once";
        "within" Form::Number(Unit::Time, 1_000, 86_400_000), "\"1m\"", RELOAD,
            "The time in which they are counted",
            "long enough for a rare request to come back, short enough to forget a bad hour";
    }
    "scratch": {
        "quota" Form::Number(Unit::Bytes, 1 << 20, 1 << 40), "\"1GiB\"", RELOAD,
            "Most bytes of one strategy's scratch: database, log and temporary files together",
            "the keyset strategy's tables and the host's own at 10,000,000 events";
        "total" Form::Number(Unit::Bytes, 1 << 20, 1 << 44), "\"4GiB\"", RELOAD,
            "Most bytes of all scratch in the cache folder; the least recently used goes first",
            "an active strategy, its successor, and the one to roll back to";
        "refresh_after" Form::Number(Unit::Count, 1, 5_000), "1_000", RELOAD,
            "Events that may be uncovered before scratch is refreshed",
            "reading a tail of 1,000 uncovered events costs a page about as much as its payloads do";
        "scrub" Form::Share, "0.05", RELOAD,
            "The share of one core that `serve` spends, at most, on comparing scratch with the log again and again; 0 for never",
            "a round takes ten seconds at 50,000 events and ten minutes at 5,000,000, for less than half of that share";
    }
    "strategy": {
        "file" Form::Path, "", RELOAD,
            "The component, found under the stanza's name",
            "needed only for that: a file on the command line is known by its digest";
        "digest" Form::Digest, "", RELOAD,
            "The only bytes that get these grants",
            "a digest or a key is needed; if both are named, both must hold";
        "key" Form::KeyName, "", RELOAD,
            "Whose signature, in FILE.minisig beside it, the component must carry",
            "a signed successor gets the same grants and never more";
        "interfaces" Form::Words(&INTERFACES), "[]", RELOAD,
            "Interfaces of the project's package that it may import",
            "nothing is granted that is not named";
        "columns" Form::Words(&SHOWN_COLUMNS), "[]", RELOAD,
            "Columns of the log that its SQL may read, and that its scratch is fed with",
            "nothing is granted that is not named";
        "functions" Form::Words(FUNCTIONS), "[]", RELOAD,
            "Functions of SQLite that its SQL may call",
            "nothing is granted that is not named; those that can be are deterministic and quick";
        "virtual_tables" Form::Words(&VIRTUAL_TABLES), "[]", RELOAD,
            "Modules of virtual tables that it may use, in scratch only",
            "their code is larger than SQLite's core and seldom needed";
        "wasi" Form::Words(&WASI_WORDS), "[]", RELOAD,
            "WASI interfaces that it may import, each inert; \"inert\" grants all of them",
            "a strategy needs none; components of some toolchains import them all the same";
        "instances" Form::Instances, "", RELOAD,
            "How long an instance lives",
            "the command line decides; fresh, if it says nothing: nothing leaks between requests";
        "at_once" Form::Number(Unit::Count, 1, 1_024), "", RELOAD,
            "Requests of it that may run at once",
            "as many as there are workers, if it says nothing";
        "notes" Form::Number(Unit::Switch, 0, 1), "true", RELOAD,
            "Whether its notes are kept for the operator",
            "they say why it failed; no client sees them";
        "quota" Form::Number(Unit::Bytes, 1 << 20, 1 << 40), "", RELOAD,
            "Most bytes of its scratch",
            "as scratch.quota, if it says nothing";
        "refresh_after" Form::Number(Unit::Count, 1, 5_000), "", RELOAD,
            "Events that may be uncovered before its scratch is refreshed",
            "as scratch.refresh_after, if it says nothing";
        "limits" Form::Table("limits"), "", RELOAD,
            "Its own limits, either way from [limits], below the host's ceilings",
            "as [limits], where it says nothing";
        "approved" Form::Table("strategy.approved"), "", RELOAD,
            "Who let it in, when and why: for people, checked by nobody",
            "";
    }
    "strategy.approved": {
        "by" Form::Text, "", RELOAD, "Who approved it", "";
        "at" Form::Date, "", RELOAD, "When", "";
        "reason" Form::Text, "", RELOAD, "Why", "";
        "audit" Form::Digest, "", RELOAD, "The digest of the audit that was read", "";
    }
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
