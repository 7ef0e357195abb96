//! Letting a strategy in: the least stanza that covers what it used, written into the policy without
//! touching anything else in it.

use std::path::Path;

use toml_edit::{DocumentMut, InlineTable, Item, Value};

use crate::log::gate::FUNCTIONS;
use crate::policy::grants::{INTERFACES, SHOWN_COLUMNS, VIRTUAL_TABLES};
use crate::policy::lines::Imports;
use crate::policy::problem::listed;
use crate::policy::value::{list, quoted};
use crate::policy::{Grants, Policy};

/// What a strategy used while it was run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Interfaces of the project's package, by their short names.
    pub interfaces: Vec<&'static str>,
    /// Columns of the log, read in pages or in what scratch was fed with.
    pub columns: Vec<&'static str>,
    /// Functions of SQLite.
    pub functions: Vec<&'static str>,
    /// Modules of virtual tables.
    pub virtual_tables: Vec<&'static str>,
    /// WASI interfaces.
    pub wasi: Vec<&'static str>,
    /// The most of each limit that one request used, by the limit's name.
    pub most: Vec<(&'static str, u64)>,
}

impl Used {
    /// Everything that a policy can grant a component with these imports: what it is tried with.
    pub fn everything(imports: &Imports) -> Self {
        Self {
            interfaces: imports.interfaces.clone(),
            columns: SHOWN_COLUMNS.to_vec(),
            functions: FUNCTIONS.to_vec(),
            virtual_tables: VIRTUAL_TABLES.to_vec(),
            wasi: imports.wasi.clone(),
            most: Vec::new(),
        }
    }
}

/// Who lets it in, when and why.
#[derive(Clone, Debug)]
pub struct Approval<'a> {
    /// Who.
    pub by: &'a str,
    /// The day, such as 2026-11-20.
    pub at: &'a str,
    /// Why.
    pub reason: &'a str,
    /// The digest of the audit that was read, in hex.
    pub audit: Option<&'a str>,
}

/// The least stanza that grants what was used, ready to be put at a policy's end.
pub fn stanza(name: &str, file: &Path, digest: &str, used: &Used, approval: &Approval<'_>) -> String {
    let mut text = String::new();
    if !used.most.is_empty() {
        let most: Vec<String> = used.most.iter().map(|(limit, number)| format!("{limit} {number}")).collect();
        text += &format!("# What it used at most for one page: {}\n", most.join(", "));
    }
    text += &format!("[strategy.{name}]\n");
    text += &format!("file = {}\n", quoted(&file.display().to_string()));
    text += &format!("digest = \"sha256:{digest}\"\n");
    for (key, order, words) in [
        ("interfaces", &INTERFACES[..], &used.interfaces),
        ("columns", &SHOWN_COLUMNS[..], &used.columns),
        ("functions", FUNCTIONS, &used.functions),
        ("virtual_tables", &VIRTUAL_TABLES[..], &used.virtual_tables),
        ("wasi", &crate::policy::WASI[..], &used.wasi),
    ] {
        let sorted: Vec<&str> = order.iter().copied().filter(|word| words.contains(word)).collect();
        let always = matches!(key, "interfaces" | "columns" | "functions");
        if always || !sorted.is_empty() {
            text += &format!("{key} = {}\n", list(&sorted));
        }
    }
    text + &format!("approved = {}\n", approved(approval))
}

/// A policy's text with a new stanza at its end. What stood in it before is untouched.
pub fn add(policy: &str, stanza: &str) -> String {
    let gap = if policy.is_empty() || policy.ends_with("\n\n") {
        ""
    } else if policy.ends_with('\n') {
        "\n"
    } else {
        "\n\n"
    };
    format!("{policy}{gap}{stanza}")
}

/// A policy's text in which an existing stanza means another file: its digest, if it names one, its path,
/// and who approved it. Its grants stay as they are.
pub fn replace(
    policy: &str,
    name: &str,
    file: &Path,
    digest: &str,
    approval: &Approval<'_>,
) -> Result<String, String> {
    let mut document: DocumentMut = policy.parse().map_err(|error| format!("this is not TOML: {error}"))?;
    let stanza = document
        .get_mut("strategy")
        .and_then(|strategies| strategies.get_mut(name))
        .and_then(Item::as_table_like_mut)
        .ok_or_else(|| format!("there is no [strategy.{name}] to change"))?;
    if stanza.contains_key("digest") {
        set(stanza, "digest", Value::from(format!("sha256:{digest}")));
    }
    set(stanza, "file", Value::from(file.display().to_string()));
    let table: InlineTable = approved(approval)
        .parse::<Value>()
        .ok()
        .and_then(|value| value.as_inline_table().cloned())
        .ok_or_else(|| "the approval cannot be written".to_owned())?;
    set(stanza, "approved", Value::InlineTable(table));
    Ok(document.to_string())
}

/// That an edited policy is valid, and grants exactly what it did before, but for one new stanza or for
/// the bytes that one stanza means.
pub fn check_edit(before: &Policy, text: &str, name: &str, used: &Used) -> Result<(), String> {
    let after =
        Policy::parse(text).map_err(|problems| format!("it would not be valid:{}", listed(&problems)))?;
    // The environment is not in the text: what it says is left out of the comparison.
    let same = after.keys == before.keys
        && before.stanzas.iter().all(|(known, stanza)| {
            after.stanzas.get(known).is_some_and(|now| same_words(&now.grants, &stanza.grants))
        })
        && after.stanzas.keys().all(|known| known == name || before.stanzas.contains_key(known));
    let granted = after.stanzas.get(name).map(|stanza| &stanza.grants);
    let no_more = before.stanzas.contains_key(name)
        || granted.is_some_and(|grants| {
            same_set(&grants.interfaces, &used.interfaces)
                && same_set(&grants.columns, &used.columns)
                && same_set(&grants.functions, &used.functions)
                && same_set(&grants.virtual_tables, &used.virtual_tables)
                && same_set(&grants.wasi, &used.wasi)
        });
    if same && no_more {
        Ok(())
    } else {
        Err("the edit would change more than this one stanza; put the lines in by hand".to_owned())
    }
}

fn same_words(one: &Grants, other: &Grants) -> bool {
    one.interfaces == other.interfaces
        && one.columns == other.columns
        && one.functions == other.functions
        && one.virtual_tables == other.virtual_tables
        && one.wasi == other.wasi
}

fn same_set(one: &[&str], other: &[&str]) -> bool {
    one.len() == other.len() && one.iter().all(|word| other.contains(word))
}

fn approved(approval: &Approval<'_>) -> String {
    let Approval { by, at, reason, audit } = approval;
    let mut text = format!("{{ by = {}, at = {at}, reason = {}", quoted(by), quoted(reason));
    if let Some(audit) = audit {
        text += &format!(", audit = \"sha256:{audit}\"");
    }
    text + " }"
}

/// Sets a key; what stands around its value, a comment above all, stays.
fn set(table: &mut dyn toml_edit::TableLike, key: &str, mut value: Value) {
    if let Some(old) = table.get(key).and_then(Item::as_value) {
        *value.decor_mut() = old.decor().clone();
    }
    if let Some(item) = table.get_mut(key) {
        *item = Item::Value(value);
    } else {
        table.insert(key, Item::Value(value));
    }
}
