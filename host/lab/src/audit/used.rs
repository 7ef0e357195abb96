//! What a strategy used: the sums of its ledgers as plain facts, and the minimal grants that cover them,
//! which `policy allow` proposes.

use std::collections::BTreeSet;

use super::facts::{Audit, Calls, Denial, Used};
use keyhole_log::grants::{self, EVENTS, FUNCTIONS, INTERFACES, SHOWN_COLUMNS, VIRTUAL_TABLES, WASI_WORDS};
use keyhole_log::ledger::StatementUse;
use keyhole_log::units::micros;
use keyhole_log::usage::Usage;
use keyhole_runtime::policy::allow;

/// The log's table, and what scratch is fed from it: their columns stand in a policy by their bare names.
const LOG_TABLES: [&str; 2] = [EVENTS, "feed.events"];

impl Used {
    /// What a strategy touched, its pages and its refreshes together. The statements are the pages' alone.
    pub(super) fn of(pages: &Usage, refreshes: &Usage) -> Self {
        let mut both = pages.clone();
        both.merge(refreshes);
        let calls = both
            .calls
            .iter()
            .map(|(name, (count, time))| ((*name).to_owned(), Calls { count: *count, us: micros(*time) }));
        let denials = both.denials.iter().map(|((rule, object), count)| Denial {
            rule: (*rule).to_owned(),
            object: object.clone(),
            count: *count,
        });
        Self {
            requests: both.requests,
            interfaces: sorted(
                both.calls.keys().filter_map(|name| name.split('.').next()).map(str::to_owned),
            ),
            columns: sorted(each(&both, |statement| &statement.columns).filter_map(|column| {
                let (table, column) = column.rsplit_once('.')?;
                LOG_TABLES.contains(&table).then(|| column.to_owned())
            })),
            tables: tables(&both),
            functions: sorted(each(&both, |statement| &statement.functions).cloned()),
            virtual_tables: sorted(both.statements.iter().flat_map(modules)),
            wasi: sorted(both.wasi.iter().map(|name| (*name).to_owned())),
            statements: costliest_first(pages),
            other_runs: both.other_runs,
            calls: calls.collect(),
            total: pages.total,
            most: pages.most,
            unshown_payloads: pages.unshown_payloads,
            denials: denials.collect(),
            notes: both.notes.clone(),
            guest_us: micros(pages.total.guest),
            host_us: micros(pages.total.host),
        }
    }
}

/// Each statement once, the one with the most steps first.
pub(super) fn costliest_first(usage: &Usage) -> Vec<StatementUse> {
    let mut statements = usage.statements.clone();
    statements.sort_by(|one, other| other.vm_steps.cmp(&one.vm_steps).then(one.sql.cmp(&other.sql)));
    statements
}

/// The tables that statements name.
pub(super) fn tables(usage: &Usage) -> Vec<String> {
    sorted(each(usage, |statement| &statement.tables).cloned())
}

/// The interface of the project's package behind a full import name; None for any other.
pub fn interface(import: &str) -> Option<&str> {
    let name = import.strip_prefix(grants::PACKAGE)?.strip_prefix('/')?;
    Some(name.split('@').next().unwrap_or(name))
}

/// The modules of virtual tables that a text names.
fn modules(statement: &StatementUse) -> impl Iterator<Item = String> {
    let text = statement.sql.to_ascii_lowercase();
    VIRTUAL_TABLES.into_iter().filter(move |module| text.contains(module)).map(str::to_owned)
}

fn each(usage: &Usage, list: fn(&StatementUse) -> &Vec<String>) -> impl Iterator<Item = &String> {
    usage.statements.iter().flat_map(list)
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The minimal grants, in the words of a policy, of a strategy that ran with what it imports and with
/// everything else.
pub fn minimal_grants(audit: &Audit) -> allow::Used {
    let (may, used) = (&audit.may, &audit.used);
    let mut minimal = allow::Used {
        // An import that is never called would still keep it from being loaded.
        interfaces: known(&INTERFACES, &may.interfaces),
        columns: known(&SHOWN_COLUMNS, &used.columns),
        functions: known(FUNCTIONS, &used.functions),
        virtual_tables: known(&VIRTUAL_TABLES, &used.virtual_tables),
        wasi: known(&WASI_WORDS, &may.wasi),
        most: vec![
            ("sql_steps", used.most.vm_steps),
            ("rows", used.most.rows),
            ("handles", used.most.handles),
            ("payload_bytes", used.most.payload_bytes),
            ("memory", used.most.memory),
        ],
    };
    // Scratch is fed by id, whatever its statements read.
    if minimal.interfaces.contains(&"scratch") && !minimal.columns.contains(&"id") {
        minimal.columns.insert(0, "id");
    }
    minimal
}

/// Takes away all that it was granted and did not use: the audit then speaks of the proposed stanza.
pub(super) fn narrow(audit: &mut Audit) {
    let minimal = minimal_grants(audit);
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    audit.may.columns = owned(&minimal.columns);
    audit.may.functions = owned(&minimal.functions);
    audit.may.virtual_tables = owned(&minimal.virtual_tables);
    audit.may.proposed = true;
}

/// Those of the known words that are named, in their own order.
fn known(words: &[&'static str], named: &[String]) -> Vec<&'static str> {
    words.iter().copied().filter(|word| named.iter().any(|name| name == word)).collect()
}
