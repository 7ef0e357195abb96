//! Policies: any text is either refused, with where and what, or grants what it says and no more, and is
//! shown as it is in effect.

mod written;

use std::path::Path;

use keyhole_log::grants::{BUILT_IN, Grants};
use keyhole_log::limits::{CEILINGS, Ceilings, LIMITS, Limits, Quantity};
use keyhole_runtime::policy::show::{self, KeyInEffect};
use keyhole_runtime::policy::{Origin, Policy, PolicyMistake, StrategySection, lines};

use crate::signals;

/// Bytes that no section is for, unless it has their very digest.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// Any text as a policy.
pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let policy = match Policy::parse(text) {
        Ok(policy) => policy,
        Err(mistakes) => return check_mistakes(text, &mistakes),
    };
    check_ceilings(&policy);
    let said = written::grants(text);
    assert_eq!(policy.sections.len(), said.len(), "a section that nobody wrote, or one that is lost");
    for section in policy.sections.values() {
        check_grants(&policy, section, &said[&section.name]);
    }
    check_default(&policy);
    check_shown(&policy);
}

/// Each mistake says where, and what: one line that a terminal may print.
fn check_mistakes(text: &str, mistakes: &[PolicyMistake]) {
    let lines = text.matches('\n').count() + 1;
    assert!(!mistakes.is_empty(), "refused without a reason");
    for mistake in mistakes {
        let placed = match mistake.origin {
            Origin::Line(line) => (1..=lines).contains(&line),
            // What is missing stands on no line.
            Origin::File => mistake.what.starts_with("it does not say its version"),
            Origin::Variable(_) => false,
        };
        assert!(placed, "{mistake:?} has no place");
        assert!(!mistake.what.is_empty() && !mistake.what.contains(char::is_control), "{mistake:?}");
        signals::saw(mistake.what.split_whitespace().filter(|word| !word.contains('"')).nth(3));
    }
}

/// Every number lies in its bounds, and below what the engine holds, also where nothing is said.
fn check_ceilings(policy: &Policy) {
    within(&CEILINGS, &policy.ceilings.named());
    let built_in = BUILT_IN.iter().filter_map(|name| policy.built_in(name)).map(|grants| grants.limits);
    let sections = policy.sections.values().map(|section| section.grants.limits.clone());
    for limits in built_in.chain(sections).chain([policy.limits.clone(), policy.local().limits]) {
        within(&LIMITS, &limits.named());
        below(&limits, &policy.ceilings);
    }
    assert!(policy.scratch.quota <= policy.scratch.total);
    for section in policy.sections.values() {
        assert!(section.grants.scratch_quota <= policy.scratch.total, "{}", section.name);
    }
}

fn within(quantities: &[Quantity], named: &[(&str, u64)]) {
    for (name, number) in named {
        let Some(known) = quantities.iter().find(|known| known.name == *name) else {
            panic!("there is no {name}")
        };
        assert!((known.least..=known.most).contains(number), "{name} is {number}");
    }
}

fn below(limits: &Limits, ceilings: &Ceilings) {
    assert!(limits.memory <= ceilings.memory, "{limits:?} above {ceilings:?}");
    assert!(limits.table_elements <= ceilings.table_elements, "{limits:?} above {ceilings:?}");
}

/// A section grants the words that stand in it, and is for bytes that it names.
fn check_grants(policy: &Policy, section: &StrategySection, said: &written::Said) {
    let grants = &section.grants;
    let lists = [
        ("interfaces", &grants.interfaces),
        ("columns", &grants.columns),
        ("functions", &grants.functions),
        ("virtual_tables", &grants.virtual_tables),
        ("wasi", &grants.wasi),
    ];
    if let Some(own) = Grants::built_in(&section.name, &policy.limits, &policy.scratch) {
        let own = [&own.interfaces, &own.columns, &own.functions, &own.virtual_tables, &own.wasi];
        assert_eq!(lists.map(|(_, words)| words), own, "{} is built in", section.name);
        return;
    }
    assert!(section.digest.is_some() || section.key.is_some(), "{} is for any bytes", section.name);
    for (list, granted) in lists {
        let group = said.has(list, keyhole_log::grants::INERT);
        let unsaid = granted.iter().find(|word| !group && !said.has(list, word));
        assert_eq!(unsaid, None, "{}.{list} does not say it", section.name);
    }
}

/// A file that no section names is granted nothing.
fn check_default(policy: &Policy) {
    let digest = keyhole_log::hash::sha256(COMPONENT);
    let nowhere = Path::new("/nowhere/strategy.wasm");
    if let Ok(section) = lines::section_of(policy, nowhere, COMPONENT) {
        assert_eq!(section.digest.as_ref(), Some(&digest), "{} lets in what it does not name", section.name);
    }
}

/// What is shown is a policy too, with the same values in effect.
fn check_shown(policy: &Policy) {
    let rows = show::rows(policy);
    // What a built-in strategy is granted is shown, and cannot be written.
    let fixed = |row: &KeyInEffect| row.from == "built in" && !row.key.contains(".limits.");
    let text: String =
        rows.iter().filter(|row| !fixed(row)).map(|row| format!("{} = {}\n", row.key, row.value)).collect();
    let again = match Policy::parse(&text) {
        Ok(again) => again,
        Err(mistakes) => panic!("{text} is shown, but {mistakes:?}"),
    };
    let shown_again = show::rows(&again);
    for row in &rows {
        let same = shown_again.iter().any(|other| (&other.key, &other.value) == (&row.key, &row.value));
        assert!(same, "{} = {} is shown, and is another when read back", row.key, row.value);
    }
    assert_eq!((&again.ceilings, &again.limits), (&policy.ceilings, &policy.limits));
    assert_eq!((&again.serve, &again.scratch, &again.keys), (&policy.serve, &policy.scratch, &policy.keys));
    for section in policy.sections.values() {
        let other = &again.sections[&section.name];
        assert_eq!(format!("{:?}", other.grants), format!("{:?}", section.grants), "{}", section.name);
        let identity =
            |section: &StrategySection| (section.file.clone(), section.digest.clone(), section.key.clone());
        assert_eq!(identity(other), identity(section), "{}", section.name);
    }
}
