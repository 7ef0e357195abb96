//! From the facts of an audit to its findings and its verdict, and to what it cannot tell.

use super::cost::{Figure, Growth, with_depth, with_log};
use super::facts::{Audit, Correctness, Finding, Severity, Signature, Verdict};
use super::findings;
use super::used::interface;
use keyhole_log::error::LIMIT;
use keyhole_log::ledger::StatementUse;
use keyhole_log::units::grouped;

/// Times the steps of page 1, plus the slack, that a deep page may take: a tree of an index is some
/// levels deeper, a walk takes thousands of steps more.
const DEPTH_FACTOR: u64 = 4;
const STEPS_SLACK: u64 = 2_000;
const FUEL_SLACK: u64 = 200_000;

/// Share of a limit that counts as near it, in percent.
const NEAR: u64 = 80;

/// Steps of SQLite for each event of a refresh that count as slow: ten times what keeping three sorted
/// tables and their counts takes.
const SLOW_REFRESH: u64 = 5_000;

/// Steps of a full scan, each run, below which a table is small enough not to matter.
const SMALL_SCAN: u64 = 200;

/// Fills in the findings, gravest first, and the verdict.
pub(super) fn judge(audit: &mut Audit) {
    let mut list = List::default();
    who_and_may(audit, &mut list);
    did(audit, &mut list);
    right(audit, &mut list);
    statements(&audit.used.statements, &mut list);
    growth(audit, &mut list);
    limits(audit, &mut list);
    let List { mut found } = list;
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    audit.verdict = match found.first().map(|finding| finding.severity) {
        Some(Severity::High) => Verdict::Unfit,
        Some(Severity::Medium) => Verdict::FitWithWarnings,
        Some(Severity::Low) | None => Verdict::Fit,
    };
    audit.findings = found;
}

/// Whether a reason to refuse a component is what it imports.
pub(super) fn is_of_imports(reason: &str) -> bool {
    // The second is the linker's line of a policy.
    reason.starts_with("it imports ") || reason.contains(" would grant what it imports of ")
}

/// The code of a failure, from what an operator observes.
pub(super) fn code_of(observed: &str) -> &str {
    match observed {
        lie if findings::kind(lie).is_some() => lie,
        denied if denied.starts_with("sql-denied") => "denied-sql",
        budget if budget.starts_with("sql-budget") => "over-sql-budget",
        "guest-time" | "fuel" => "over-guest-time",
        "handle" | "unknown-event" => "bad-handle",
        "trapped" => "traps",
        "gave-up" => "gives-up",
        "sql" => "sql-fails",
        "load-refused" => "not-a-strategy",
        "scratch-quota" | "scratch-refused" => "refresh-fails",
        field if field.starts_with("field:") => "differs-from-reference",
        _ => "over-budget",
    }
}

/// The findings as they come.
#[derive(Default)]
struct List {
    found: Vec<Finding>,
}

impl List {
    /// Adds a finding, the first of its code only.
    fn add(&mut self, code: &str, what: impl Into<String>) {
        if self.found.iter().any(|finding| finding.code == code) {
            return;
        }
        let Some(kind) = findings::kind(code) else { return };
        self.found.push(Finding {
            code: kind.code.to_owned(),
            severity: kind.severity,
            what: what.into(),
            fix: kind.fix.to_owned(),
        });
    }
}

fn who_and_may(audit: &Audit, list: &mut List) {
    let ungranted = |reason: &&String| is_of_imports(reason);
    let imports: Vec<&str> = audit.refused.iter().filter(ungranted).map(String::as_str).collect();
    if !imports.is_empty() {
        list.add("imports-ungranted", imports.join("; "));
    }
    let others: Vec<&str> =
        audit.refused.iter().filter(|reason| !ungranted(reason)).map(String::as_str).collect();
    if !others.is_empty() {
        list.add("not-a-strategy", others.join("; "));
    }
    if audit.strategy.signature == Signature::None {
        list.add("unsigned", "no policy names its digest or a key");
    }
    if audit.correctness.is_none() || audit.strategy.digest.is_none() {
        return;
    }
    let imported = audit.may.imported.iter().filter_map(|import| interface(import));
    let idle: Vec<&str> = imported
        .filter(|name| *name != "types" && !audit.used.interfaces.iter().any(|used| used == name))
        .collect();
    if !idle.is_empty() {
        list.add("imported-never-called", idle.join(", "));
    }
    let unused = |granted: &[String], used: &[String]| -> Vec<String> {
        granted.iter().filter(|name| !used.contains(name)).cloned().collect()
    };
    let interfaces = unused(&audit.may.interfaces, &audit.used.interfaces);
    let columns = unused(&audit.may.columns, &audit.used.columns);
    if !interfaces.is_empty() || !columns.is_empty() {
        let part = |what: &str, names: &[String]| match names {
            [] => None,
            names => Some(format!("{what} {}", names.join(", "))),
        };
        let parts = [part("interfaces", &interfaces), part("columns", &columns)];
        list.add("granted-never-used", parts.into_iter().flatten().collect::<Vec<_>>().join("; "));
    }
}

fn did(audit: &Audit, list: &mut List) {
    // A refused growth of memory is no attempt at what is not granted: see the limits.
    let denials: Vec<_> = audit.used.denials.iter().filter(|denial| denial.rule != LIMIT).collect();
    if let [first, rest @ ..] = denials.as_slice() {
        let more = if rest.is_empty() { String::new() } else { format!(", and {} more kinds", rest.len()) };
        let object = if first.object.is_empty() { "(an empty name)" } else { &first.object };
        let count = grouped(first.count);
        list.add("denied-sql", format!("rule {}: {object}, {count} times{more}", first.rule));
    }
    let used = &audit.used;
    if used.unshown_payloads > 0 {
        list.add(
            "reads-unshown-payloads",
            format!("{} payloads of events that it did not show", used.unshown_payloads),
        );
    }
    let texts = used.statements.len() as u64 + used.other_runs;
    if texts > 64 && texts * 4 > used.requests {
        list.add("texts-unbounded", format!("{texts} texts or more in {} requests", used.requests));
    }
    let escaped = |note: &&String| note.contains("\\u{") || note.contains("\\r") || note.len() >= 1_000;
    if let Some(note) = used.notes.iter().find(escaped) {
        list.add("notes-suspicious", note.chars().take(120).collect::<String>());
    }
}

fn right(audit: &Audit, list: &mut List) {
    if let Some(failed) = audit.scratch.as_ref().and_then(|scratch| scratch.failed.as_ref()) {
        list.add("refresh-fails", failed);
    }
    for stream in audit.correctness.iter().flat_map(|correctness| &correctness.streams) {
        let (Some(kind), Some(what)) = (&stream.kind, &stream.what) else { continue };
        let what = format!("in stream {}: {what}", stream.name);
        if !stream.refused {
            list.add("differs-from-reference", &what);
        }
        list.add(code_of(kind), what);
    }
    for cost in &audit.cost {
        if let Some(failed) = &cost.failed {
            let what = format!("page {} of {}, {} log: {failed}", cost.page, cost.filter, cost.log);
            list.add(code_of(failed), what);
        }
    }
    if let Some(determinism) = &audit.determinism {
        let first = determinism.first.clone().unwrap_or_default();
        let fresh = determinism.same_across_processes
            && determinism.same_in_used_slot
            && determinism.same_after_refill != Some(false);
        let warm_is_granted = audit.may.instances != "fresh";
        if !fresh || (warm_is_granted && !determinism.same_when_warm) {
            list.add("non-deterministic", first);
        } else if !determinism.same_when_warm {
            list.add("uses-warm-state", first);
        }
    }
}

fn statements(statements: &[StatementUse], list: &mut List) {
    let short = |sql: &str| {
        sql.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(160).collect::<String>()
    };
    let scans =
        |statement: &&StatementUse| statement.full_scan_steps > SMALL_SCAN.saturating_mul(statement.runs);
    if let Some(scan) = statements.iter().find(scans) {
        let each = scan.full_scan_steps / scan.runs.max(1);
        list.add("full-scan", format!("{each} rows each run: {}", short(&scan.sql)));
    }
    if let Some(statement) = statements.iter().find(|statement| statement.automatic_indexes > 0) {
        list.add(
            "automatic-index",
            format!("{} in {} runs: {}", statement.automatic_indexes, statement.runs, short(&statement.sql)),
        );
    }
    if let Some(statement) = statements.iter().find(|statement| statement.sorts > 0) {
        list.add(
            "sorts",
            format!("{} in {} runs: {}", statement.sorts, statement.runs, short(&statement.sql)),
        );
    }
}

fn growth(audit: &Audit, list: &mut List) {
    let steps = Figure { of: |cost| Some(cost.vm_steps), follows_payloads: false };
    let fuel = Figure { of: |cost| cost.fuel, follows_payloads: true };
    let found = [
        ("steps-grow-with-depth", with_depth(&audit.cost, steps, DEPTH_FACTOR, STEPS_SLACK), "steps"),
        ("steps-grow-with-log", with_log(&audit.cost, steps, STEPS_SLACK), "steps"),
        ("fuel-grows-with-depth", with_depth(&audit.cost, fuel, DEPTH_FACTOR, FUEL_SLACK), "fuel"),
        ("fuel-grows-with-log", with_log(&audit.cost, fuel, FUEL_SLACK), "fuel"),
    ];
    for (code, growth, unit) in found {
        if let Some(Growth { request, from, to }) = growth {
            list.add(code, format!("{request}: {} to {} {unit}", grouped(from), grouped(to)));
        }
    }
}

fn limits(audit: &Audit, list: &mut List) {
    let most = &audit.used.most;
    if let Some(denial) = audit.used.denials.iter().find(|denial| denial.rule == LIMIT) {
        list.add("near-limit", format!("{}: it asked for more, {} times", denial.object, denial.count));
    }
    let amounts = [
        ("sql_steps", most.vm_steps),
        ("rows", most.rows),
        ("payload_bytes", most.payload_bytes),
        ("memory", most.memory),
    ];
    for (name, amount) in amounts {
        let limit = audit.limits.get(name).copied().unwrap_or(u64::MAX);
        if amount > limit / 100 * NEAR {
            list.add("near-limit", format!("{name}: {amount} of {limit}"));
        }
    }
    if most.boundary_bytes > 0 && audit.used.total.payload_reads > 0 {
        list.add("copies-payloads", format!("{} payloads", grouped(audit.used.total.payload_reads)));
    }
    if let Some(scratch) = audit.scratch.as_ref().filter(|scratch| scratch.failed.is_none()) {
        let each = scratch.vm_steps / scratch.events.max(1);
        if each > SLOW_REFRESH {
            list.add("slow-refresh", format!("{each} steps for each event"));
        }
        if scratch.bytes > audit.may.scratch_quota / 100 * NEAR {
            list.add("scratch-near-quota", format!("{} of {} bytes", scratch.bytes, audit.may.scratch_quota));
        }
    }
}

/// What an audit cannot tell, said in every one of them, with its own numbers.
pub(super) fn limitations(audit: &Audit) -> Vec<String> {
    let Some(correctness) = &audit.correctness else {
        return vec!["anything about what it does: it was not let in, and nothing of it ran".to_owned()];
    };
    let warm = if audit.may.instances == "fresh" {
        "in fresh instances, which it is granted, it keeps no count and no memory of its own"
    } else {
        "warm instances can count calls: a lie on a later call than this audit made stays hidden"
    };
    let log = &audit.log;
    vec![
        bound(correctness),
        format!(
            "what it waits for: a call beyond the {} asked, a high-water above {}, a date, an actor, an action, a \
             page size or an order of requests that was not drawn ({warm}); the comparison of a share of live \
             pages looks for those",
            grouped(correctness.pages),
            log.high_water
        ),
        format!(
            "other logs: this one holds {} events, their times from {} to {}",
            grouped(log.events),
            date(log.oldest),
            date(log.newest)
        ),
        "how long pages take under load: times here are of an idle worker, fuel and steps are exact"
            .to_owned(),
        "faults of the engine, of SQLite and of this program themselves: `keyhole selftest` tries each limit"
            .to_owned(),
    ]
}

fn bound(correctness: &Correctness) -> String {
    match correctness.bound {
        Some(bound) => format!(
            "pages that were not asked for: 0 differences in {} pages that held events means that under 3/{} = {:.2} % \
             of pages drawn alike differ, at 95 %",
            correctness.non_empty,
            correctness.non_empty,
            bound * 100.0
        ),
        None if correctness.equal => "pages at all: too few held events to bound anything".to_owned(),
        None => "how many pages differ: each stream ended at its first difference".to_owned(),
    }
}

/// The day of a time in Unix seconds, where a calendar has it.
fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| seconds.to_string(), |time| time.strftime("%Y-%m-%d").to_string())
}
