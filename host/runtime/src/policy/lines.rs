//! The lines of a policy that would let a refused strategy in, all at once.

use std::collections::BTreeSet;
use std::path::Path;

use wasmparser::{Parser, Payload};

use crate::error::Error;
use crate::linker;
use crate::policy::grants::{BUILT_IN, INTERFACES, WASI};
use crate::policy::value::{list, quoted};
use crate::policy::{Grants, Policy, Stanza};

/// What a component imports, by the words of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imports {
    /// The names, as the component has them.
    pub names: Vec<String>,
    /// Interfaces of the project's package.
    pub interfaces: Vec<&'static str>,
    /// WASI interfaces that can be made inert.
    pub wasi: Vec<&'static str>,
}

/// Reads what a component imports. Of one that is not valid, what can be read: it is refused later.
pub fn imports(bytes: &[u8]) -> Imports {
    let mut found = Imports::default();
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::ComponentImportSection(section)) if depth == 0 => {
                found.names.extend(section.into_iter().flatten().map(|import| import.name.name.to_owned()));
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    for name in &found.names {
        let plain = name.split('@').next().unwrap_or(name);
        if let Some(interface) = INTERFACES.iter().find(|interface| *name == linker::full_name(interface)) {
            found.interfaces.push(interface);
        }
        if let Some(wasi) = WASI.iter().find(|wasi| **wasi == plain) {
            found.wasi.push(wasi);
        }
    }
    found
}

/// The stanza that a file on the command line belongs to: the one that names its digest, or, where that
/// names only a key, its path. Without one it is refused, with the whole least stanza that would let it in.
pub fn stanza_of<'a>(policy: &'a Policy, path: &Path, bytes: &[u8]) -> Result<&'a Stanza, Error> {
    let digest = crate::sha256(bytes);
    let not_granted = |reason: String, lines: String| {
        Err(Error::NotGranted { path: path.to_owned(), reasons: vec![reason], lines })
    };
    let mut named = policy.stanzas.values().filter(|stanza| stanza.digest.as_ref() == Some(&digest));
    match (named.next(), named.next()) {
        (Some(stanza), None) => return Ok(stanza),
        (Some(one), Some(other)) => {
            return not_granted(
                format!(
                    "its digest stands in [strategy.{}] and in [strategy.{}]: say which, by name",
                    one.name, other.name
                ),
                String::new(),
            );
        }
        _ => {}
    }
    let folder = policy.folder();
    let here = path.canonicalize().ok();
    let at_path = policy.stanzas.values().find(|stanza| {
        let file = stanza.file.as_ref().and_then(|file| folder.join(file).canonicalize().ok());
        file.is_some() && file == here
    });
    match at_path {
        Some(stanza) => Ok(stanza),
        None => not_granted(
            format!(
                "no stanza of {} names sha256:{digest}",
                policy.file.as_deref().unwrap_or(Path::new("the policy")).display()
            ),
            least(path, &policy.relative(path), &digest, &imports(bytes)),
        ),
    }
}

/// Refuses a component that imports more than its stanza grants, with the lines that would grant it.
pub fn check_imports(stanza: &Stanza, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let imports = imports(bytes);
    let grants = &stanza.grants;
    let more_interfaces: Vec<&'static str> = missing(&imports.interfaces, &grants.interfaces);
    let more_wasi: Vec<&'static str> = missing(&imports.wasi, &grants.wasi);
    if more_interfaces.is_empty() && more_wasi.is_empty() {
        return Ok(());
    }
    let mut lines = format!("[strategy.{}]\n", stanza.name);
    if !more_interfaces.is_empty() {
        lines += &format!("interfaces = {}\n", list(&together(&grants.interfaces, &more_interfaces)));
    }
    if !more_wasi.is_empty() {
        lines += &format!("wasi = {}\n", list(&together(&grants.wasi, &more_wasi)));
    }
    let reasons = more_interfaces
        .iter()
        .map(|name| linker::full_name(name))
        .chain(more_wasi.iter().map(|name| (*name).to_owned()));
    let reasons =
        reasons.map(|name| format!("it imports {name}, which [strategy.{}] does not grant", stanza.name));
    Err(Error::NotGranted { path: path.to_owned(), reasons: reasons.collect(), lines })
}

/// The lines that would have allowed what was denied while a strategy ran; none where no policy can.
pub fn for_denials<'a, 'b>(
    name: &str,
    grants: &Grants,
    denials: impl Iterator<Item = (&'a str, &'b str)>,
) -> Option<String> {
    if crate::policy::parse::check_name(name).is_err() || BUILT_IN.contains(&name) {
        return None;
    }
    let (mut columns, mut functions, mut modules) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (rule, object) in denials {
        match rule {
            "read" => {
                let column = object.strip_prefix("log.audit_events.");
                columns.extend(crate::policy::SHOWN_COLUMNS.iter().find(|known| column == Some(known)));
            }
            "function" => {
                let known = crate::log::gate::FUNCTIONS.iter();
                functions.extend(known.filter(|known| object.eq_ignore_ascii_case(known)));
            }
            "virtual-table" => {
                let known = crate::policy::VIRTUAL_TABLES.iter();
                modules.extend(known.filter(|known| object.to_ascii_lowercase().contains(**known)));
            }
            _ => {}
        }
    }
    let mut lines = String::new();
    for (key, more, granted) in [
        ("columns", columns, &grants.columns),
        ("functions", functions, &grants.functions),
        ("virtual_tables", modules, &grants.virtual_tables),
    ] {
        let more: Vec<&'static str> =
            more.into_iter().copied().filter(|word| !granted.contains(word)).collect();
        if !more.is_empty() {
            lines += &format!("{key} = {}\n", list(&together(granted, &more)));
        }
    }
    (!lines.is_empty()).then(|| format!("[strategy.{name}]\n{lines}"))
}

/// A refresh's error, with the lines that would have kept it away. A column that scratch is not fed with is
/// one that SQLite does not know.
pub fn of_refresh(error: Error, name: &str, grants: &Grants) -> Error {
    let text = error.to_string();
    let denial = match innermost(&error) {
        Error::Denied { rule, object } => Some((*rule, object.clone())),
        Error::Sql { .. } | Error::GaveUp { .. } => {
            let column =
                text.split("no such column: ").nth(1).and_then(|rest| rest.split_whitespace().next());
            let column = column
                .and_then(|column| column.split(|c: char| !c.is_alphanumeric() && c != '_').next_back());
            column.map(|column| ("read", format!("log.audit_events.{column}")))
        }
        _ => None,
    };
    let denials = denial.iter().map(|(rule, object)| (*rule, object.as_str()));
    match for_denials(name, grants, denials) {
        Some(lines) => Error::Ungranted { lines, source: Box::new(error) },
        None => error,
    }
}

fn innermost(error: &Error) -> &Error {
    match error {
        Error::During { source, .. } => innermost(source),
        Error::Repeated { source, .. } => innermost(source),
        other => other,
    }
}

/// The least stanza for a component that has not run yet: what it imports, and nothing that it might read.
fn least(path: &Path, file: &Path, digest: &str, imports: &Imports) -> String {
    let name = stanza_name(path);
    let mut lines = format!(
        "# `keyhole policy allow {} --as {name} --by WHO --reason TEXT` runs it and adds the columns and functions that it uses\n\
         [strategy.{name}]\ndigest = \"sha256:{digest}\"\ninterfaces = {}\n",
        path.display(),
        list(&imports.interfaces),
    );
    if imports.interfaces.contains(&"scratch") {
        lines += "columns = [\"id\"]\n";
    }
    if !imports.wasi.is_empty() {
        lines += &format!("wasi = {}\n", list(&imports.wasi));
    }
    lines += &format!("file = {}\n", quoted(&file.display().to_string()));
    lines
}

/// A name that a stanza may have, made of a file's.
fn stanza_name(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
    let name = name.trim_matches('-').trim_end_matches("-warm").to_owned();
    let taken = name.is_empty() || BUILT_IN.contains(&name.as_str());
    if taken { format!("my-{name}").trim_end_matches('-').to_owned() } else { name }
}

fn missing(wanted: &[&'static str], granted: &[&'static str]) -> Vec<&'static str> {
    wanted.iter().copied().filter(|word| !granted.contains(word)).collect()
}

fn together(granted: &[&'static str], more: &[&'static str]) -> Vec<&'static str> {
    granted.iter().chain(more).copied().collect()
}
