//! Letting a strategy in: the least section that covers what it used, written into the policy without
//! touching anything else in it.

use std::path::Path;

use toml_edit::{DocumentMut, Item, TableLike, Value};

use crate::policy::Policy;
use crate::policy::lines::Imports;
use crate::policy::value::{list, quoted};
use keyhole_log::grants::{FUNCTIONS, LISTS, SHOWN_COLUMNS, VIRTUAL_TABLES};

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

    /// The lists of names, in the order of [`LISTS`].
    fn lists(&self) -> [&[&'static str]; 5] {
        [&self.interfaces, &self.columns, &self.functions, &self.virtual_tables, &self.wasi]
    }
}

/// Who lets a strategy in, when and why.
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

impl Approval<'_> {
    fn written(&self) -> String {
        let Self { by, at, reason, audit } = self;
        let audit = audit.map(|audit| format!(", audit = \"sha256:{audit}\"")).unwrap_or_default();
        format!("{{ by = {}, at = {at}, reason = {}{audit} }}", quoted(by), quoted(reason))
    }
}

/// The least section that grants what was used, ready to be put at a policy's end.
pub fn section(name: &str, file: &Path, digest: &str, used: &Used, approval: &Approval<'_>) -> String {
    let mut text = String::new();
    if !used.most.is_empty() {
        let most: Vec<String> = used.most.iter().map(|(limit, number)| format!("{limit} {number}")).collect();
        text += &format!("# What it used at most for one page: {}\n", most.join(", "));
    }
    let file = quoted(&file.display().to_string());
    text += &format!("[strategy.{name}]\nfile = {file}\ndigest = \"sha256:{digest}\"\n");
    for ((key, order), words) in LISTS.into_iter().zip(used.lists()) {
        let sorted: Vec<&str> = order.iter().copied().filter(|word| words.contains(word)).collect();
        let always = matches!(key, "interfaces" | "columns" | "functions");
        if always || !sorted.is_empty() {
            text += &format!("{key} = {}\n", list(&sorted));
        }
    }
    text + &format!("approved = {}\n", approval.written())
}

/// A policy's text with a new section at its end. What stood in it before is untouched.
pub fn add(policy: &str, section: &str) -> String {
    let gap = if policy.is_empty() || policy.ends_with("\n\n") {
        ""
    } else if policy.ends_with('\n') {
        "\n"
    } else {
        "\n\n"
    };
    format!("{policy}{gap}{section}")
}

/// A policy's text in which an existing section means another file: its digest, if it names one, its path,
/// and who approved it. Its grants stay as they are.
pub fn replace(
    policy: &str,
    name: &str,
    file: &Path,
    digest: &str,
    approval: &Approval<'_>,
) -> Result<String, String> {
    let mut document: DocumentMut = policy.parse().map_err(|error| format!("this is not TOML: {error}"))?;
    let section = document
        .get_mut("strategy")
        .and_then(|strategies| strategies.get_mut(name))
        .and_then(Item::as_table_like_mut)
        .ok_or_else(|| format!("there is no [strategy.{name}] to change"))?;
    if section.contains_key("digest") {
        set(section, "digest", Value::from(format!("sha256:{digest}")));
    }
    set(section, "file", Value::from(file.display().to_string()));
    let approved = approval.written().parse().map_err(|_| "the approval cannot be written".to_owned())?;
    set(section, "approved", approved);
    Ok(document.to_string())
}

/// That an edited policy is valid, and grants exactly what it did before, but for one new section or for
/// the bytes that one section means.
pub fn check_edit(before: &Policy, text: &str, name: &str, used: &Used) -> Result<(), String> {
    let after = Policy::parse(text).map_err(|mistakes| {
        let lines: String = mistakes.iter().map(|mistake| format!("\n  {mistake}")).collect();
        format!("it would not be valid:{lines}")
    })?;
    // The environment is not in the text: what it says is left out of the comparison.
    let same = after.keys == before.keys
        && before.sections.iter().all(|(known, section)| {
            after.sections.get(known).is_some_and(|now| now.grants.lists() == section.grants.lists())
        })
        && after.sections.keys().all(|known| known == name || before.sections.contains_key(known));
    let same_set =
        |(one, other): (&[&str], &[&str])| one.len() == other.len() && one.iter().all(|w| other.contains(w));
    let no_more = before.sections.contains_key(name)
        || after
            .sections
            .get(name)
            .is_some_and(|new| new.grants.lists().into_iter().zip(used.lists()).all(same_set));
    if same && no_more {
        Ok(())
    } else {
        Err("the edit would change more than this one stanza; put the lines in by hand".to_owned())
    }
}

/// Sets a key; what stands around its value, a comment above all, stays.
fn set(table: &mut dyn TableLike, key: &str, mut value: Value) {
    if let Some(old) = table.get(key).and_then(Item::as_value) {
        *value.decor_mut() = old.decor().clone();
    }
    match table.get_mut(key) {
        Some(item) => *item = Item::Value(value),
        None => _ = table.insert(key, Item::Value(value)),
    }
}
