//! From the sums of the ledgers to the plain facts of a saved audit.

use std::collections::BTreeSet;
use std::time::Duration;

use super::facts::{Amounts, Calls, Denial, Statement, Used};
use crate::ledger::StatementUse;
use crate::linker;
use crate::log::gate::EVENTS;
use crate::policy::VIRTUAL_TABLES;
use crate::units::micros;
use crate::usage::{self, Usage};

/// The log's table, and what scratch is fed from it: their columns stand in a policy by their bare names.
const LOG_TABLES: [&str; 2] = [EVENTS, "feed.events"];

/// What a strategy touched, its pages and its refreshes together. The statements are the pages' alone.
pub(super) fn used(pages: &Usage, refreshes: &Usage) -> Used {
    let mut both = pages.clone();
    both.merge(refreshes);
    let calls = both
        .calls
        .iter()
        .map(|(name, (count, time))| ((*name).to_owned(), Calls { count: *count, us: micros(*time) }));
    let interfaces = both.calls.keys().filter_map(|name| name.split('.').next());
    Used {
        requests: both.requests,
        interfaces: sorted(interfaces.map(str::to_owned)),
        columns: sorted(each(&both, |statement| &statement.columns).filter_map(|column| {
            let (table, column) = column.rsplit_once('.')?;
            LOG_TABLES.contains(&table).then(|| column.to_owned())
        })),
        tables: sorted(each(&both, |statement| &statement.tables).cloned()),
        functions: sorted(each(&both, |statement| &statement.functions).cloned()),
        virtual_tables: sorted(both.statements.iter().flat_map(modules)),
        wasi: sorted(both.wasi.iter().map(|name| (*name).to_owned())),
        statements: statements(pages),
        other_runs: both.other_runs,
        calls: calls.collect(),
        total: amounts(&pages.total),
        most: amounts(&pages.most),
        unshown_payloads: pages.unshown_payloads,
        denials: both
            .denials
            .iter()
            .map(|((rule, object), count)| Denial {
                rule: (*rule).to_owned(),
                object: object.clone(),
                count: *count,
            })
            .collect(),
        notes: both.notes.clone(),
        guest_us: micros(pages.total.guest),
        host_us: micros(pages.total.host),
    }
}

/// Each statement once, the one with the most steps first.
pub(super) fn statements(usage: &Usage) -> Vec<Statement> {
    let mut statements: Vec<Statement> = usage.statements.iter().map(statement).collect();
    statements.sort_by(|one, other| other.vm_steps.cmp(&one.vm_steps).then(one.sql.cmp(&other.sql)));
    statements
}

fn statement(used: &StatementUse) -> Statement {
    Statement {
        sql: used.sql.clone(),
        plan: used.plan.clone(),
        tables: used.tables.clone(),
        columns: used.columns.clone(),
        functions: used.functions.clone(),
        runs: used.runs,
        rows: used.rows,
        vm_steps: used.vm_steps,
        full_scan_steps: used.full_scan_steps,
        sorts: used.sorts,
        automatic_indexes: used.automatic_indexes,
    }
}

/// The interface of the project's package behind a full import name; None for any other.
pub(super) fn interface(import: &str) -> Option<&str> {
    let name = import.strip_prefix(linker::PACKAGE)?.strip_prefix('/')?;
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

fn amounts(amounts: &usage::Amounts) -> Amounts {
    let whole = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Amounts {
        rows: amounts.rows,
        handles: amounts.handles,
        vm_steps: amounts.vm_steps,
        payload_reads: amounts.payload_reads,
        payload_bytes: amounts.payload_bytes,
        boundary_bytes: amounts.boundary_bytes,
        fuel: amounts.fuel,
        memory: amounts.memory,
        log_lock_us: whole(amounts.log_lock),
        guest_us: whole(amounts.guest),
    }
}
