//! The least that covers what a strategy used: what `policy allow` proposes.

use super::facts::Audit;
use crate::log::gate::FUNCTIONS;
use crate::policy::allow::Used;
use crate::policy::grants::INTERFACES;
use crate::policy::{SHOWN_COLUMNS, VIRTUAL_TABLES, WASI};

/// What a strategy used, in the words of a policy, where it ran with what it imports and everything else.
pub fn used(audit: &Audit) -> Used {
    let (may, used) = (&audit.may, &audit.used);
    let mut least = Used {
        // An import that is never called would still keep it from being loaded.
        interfaces: known(&INTERFACES, &may.interfaces),
        columns: known(&SHOWN_COLUMNS, &used.columns),
        functions: known(FUNCTIONS, &used.functions),
        virtual_tables: known(&VIRTUAL_TABLES, &used.virtual_tables),
        wasi: known(&WASI, &may.wasi),
        most: vec![
            ("sql_steps", used.most.vm_steps),
            ("rows", used.most.rows),
            ("handles", used.most.handles),
            ("payload_bytes", used.most.payload_bytes),
            ("memory", used.most.memory),
        ],
    };
    // Scratch is fed by id, whatever its statements read.
    if least.interfaces.contains(&"scratch") && !least.columns.contains(&"id") {
        least.columns.insert(0, "id");
    }
    least
}

/// Takes away all that it was granted and did not use: the audit then speaks of the proposed stanza.
pub fn narrow(audit: &mut Audit) {
    let least = used(audit);
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    audit.may.columns = owned(&least.columns);
    audit.may.functions = owned(&least.functions);
    audit.may.virtual_tables = owned(&least.virtual_tables);
    audit.may.proposed = true;
}

/// Those of the known words that are named, in their own order.
fn known(words: &[&'static str], named: &[String]) -> Vec<&'static str> {
    words.iter().copied().filter(|word| named.iter().any(|name| name == word)).collect()
}
