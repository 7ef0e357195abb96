//! What stands in a policy's sections, read by another parser than the host's.

use std::collections::BTreeMap;

use toml_edit::{DocumentMut, Item, TableLike, Value};

/// The texts that stand under each key of one section.
pub(crate) struct Said(BTreeMap<String, Vec<String>>);

impl Said {
    /// Whether this word stands under that key.
    pub(crate) fn has(&self, key: &str, word: &str) -> bool {
        self.0.get(key).is_some_and(|words| words.iter().any(|said| said == word))
    }
}

/// Every section of a policy that was accepted, by name.
pub(crate) fn grants(text: &str) -> BTreeMap<String, Said> {
    let policy: DocumentMut = text.parse().unwrap();
    let sections = policy.get("strategy").and_then(Item::as_table_like);
    sections
        .into_iter()
        .flat_map(TableLike::iter)
        .map(|(name, section)| (name.to_owned(), said(section)))
        .collect()
}

fn said(section: &Item) -> Said {
    let keys = section.as_table_like().into_iter().flat_map(TableLike::iter);
    Said(keys.map(|(key, item)| (key.to_owned(), texts(item))).collect())
}

fn texts(item: &Item) -> Vec<String> {
    match item.as_value() {
        Some(Value::String(text)) => vec![text.value().clone()],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
