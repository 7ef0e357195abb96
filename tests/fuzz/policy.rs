//! Policies: any text is either refused, with where and what, or grants what it says and no more, and is
//! shown as it is in effect.

mod written;

use std::path::Path;

use keyhole::limits::{Ceilings, Limits};
use keyhole::policy::grants::BUILT_IN;
use keyhole::policy::key::{self, Form};
use keyhole::policy::show::{self, Row};
use keyhole::policy::{Grants, Place, Policy, Problem, Stanza, lines};

use crate::signals;

/// Bytes that no stanza is for, unless it has their very digest.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// Any text as a policy.
pub(crate) fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let policy = match Policy::parse(text) {
        Ok(policy) => policy,
        Err(problems) => return check_problems(text, &problems),
    };
    check_ceilings(&policy);
    let said = written::grants(text);
    assert_eq!(policy.stanzas.len(), said.len(), "a stanza that nobody wrote, or one that is lost");
    for stanza in policy.stanzas.values() {
        check_grants(&policy, stanza, &said[&stanza.name]);
    }
    check_default(&policy);
    check_shown(&policy);
}

/// Each problem says where, and what: one line that a terminal may print.
fn check_problems(text: &str, problems: &[Problem]) {
    let lines = text.matches('\n').count() + 1;
    assert!(!problems.is_empty(), "refused without a reason");
    for problem in problems {
        let placed = match problem.place {
            Place::Line(line) => (1..=lines).contains(&line),
            // What is missing stands on no line.
            Place::File => problem.what.starts_with("it does not say its version"),
            Place::Variable(_) => false,
        };
        assert!(placed, "{problem:?} has no place");
        assert!(!problem.what.is_empty() && !problem.what.contains(char::is_control), "{problem:?}");
        signals::saw(problem.what.split_whitespace().filter(|word| !word.contains('"')).nth(3));
    }
}

/// Every number lies in its bounds, and below what the engine holds, also where nothing is said.
fn check_ceilings(policy: &Policy) {
    within("host", &policy.ceilings.named());
    let built_in = BUILT_IN.iter().filter_map(|name| policy.built_in(name)).map(|grants| grants.limits);
    let stanzas = policy.stanzas.values().map(|stanza| stanza.grants.limits.clone());
    for limits in built_in.chain(stanzas).chain([policy.limits.clone(), policy.local().limits]) {
        within("limits", &limits.named());
        below(&limits, &policy.ceilings);
    }
    assert!(policy.scratch.quota <= policy.scratch.total);
    for stanza in policy.stanzas.values() {
        assert!(stanza.grants.scratch_quota <= policy.scratch.total, "{}", stanza.name);
    }
}

fn within(section: &str, named: &[(&str, u64)]) {
    for (name, number) in named {
        let Some(Form::Number(_, least, most)) = key::find(section, name).map(|key| key.form) else {
            panic!("there is no key {section}.{name}")
        };
        assert!((least..=most).contains(number), "{section}.{name} is {number}");
    }
}

fn below(limits: &Limits, ceilings: &Ceilings) {
    assert!(limits.memory <= ceilings.memory, "{limits:?} above {ceilings:?}");
    assert!(limits.table_elements <= ceilings.table_elements, "{limits:?} above {ceilings:?}");
}

/// A stanza grants the words that stand in it, and is for bytes that it names.
fn check_grants(policy: &Policy, stanza: &Stanza, said: &written::Said) {
    let grants = &stanza.grants;
    let lists = [
        ("interfaces", &grants.interfaces),
        ("columns", &grants.columns),
        ("functions", &grants.functions),
        ("virtual_tables", &grants.virtual_tables),
        ("wasi", &grants.wasi),
    ];
    if let Some(own) = Grants::built_in(&stanza.name, &policy.limits, &policy.scratch) {
        let own = [&own.interfaces, &own.columns, &own.functions, &own.virtual_tables, &own.wasi];
        assert_eq!(lists.map(|(_, words)| words), own, "{} is built in", stanza.name);
        return;
    }
    assert!(stanza.digest.is_some() || stanza.key.is_some(), "{} is for any bytes", stanza.name);
    for (list, granted) in lists {
        let group = said.has(list, keyhole::linker::INERT);
        let unsaid = granted.iter().find(|word| !group && !said.has(list, word));
        assert_eq!(unsaid, None, "{}.{list} does not say it", stanza.name);
    }
}

/// A file that no stanza names is granted nothing.
fn check_default(policy: &Policy) {
    let digest = keyhole::sha256(COMPONENT);
    let nowhere = Path::new("/nowhere/strategy.wasm");
    if let Ok(stanza) = lines::stanza_of(policy, nowhere, COMPONENT) {
        assert_eq!(stanza.digest.as_ref(), Some(&digest), "{} lets in what it does not name", stanza.name);
    }
}

/// What is shown is a policy too, with the same values in effect.
fn check_shown(policy: &Policy) {
    let rows = show::rows(policy);
    // What a built-in strategy is granted is shown, and cannot be written.
    let fixed = |row: &Row| row.from == "built in" && !row.key.contains(".limits.");
    let text: String =
        rows.iter().filter(|row| !fixed(row)).map(|row| format!("{} = {}\n", row.key, row.value)).collect();
    let again = match Policy::parse(&text) {
        Ok(again) => again,
        Err(problems) => panic!("{text} is shown, but {problems:?}"),
    };
    let shown_again = show::rows(&again);
    for row in &rows {
        let same = shown_again.iter().any(|other| (&other.key, &other.value) == (&row.key, &row.value));
        assert!(same, "{} = {} is shown, and is another when read back", row.key, row.value);
    }
    assert_eq!((&again.ceilings, &again.limits), (&policy.ceilings, &policy.limits));
    assert_eq!((&again.serve, &again.scratch, &again.keys), (&policy.serve, &policy.scratch, &policy.keys));
    for stanza in policy.stanzas.values() {
        let other = &again.stanzas[&stanza.name];
        assert_eq!(format!("{:?}", other.grants), format!("{:?}", stanza.grants), "{}", stanza.name);
        let identity = |stanza: &Stanza| (stanza.file.clone(), stanza.digest.clone(), stanza.key.clone());
        assert_eq!(identity(other), identity(stanza), "{}", stanza.name);
        assert_eq!(other.approved, stanza.approved, "{}", stanza.name);
    }
}
