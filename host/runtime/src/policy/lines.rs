//! The lines of a policy that would let a refused strategy in, all at once.

use std::path::Path;

use wasmparser::{Parser, Payload};

use crate::policy::value::{list, quoted};
use crate::policy::{Policy, StrategySection};
use keyhole_log::error::Error;
use keyhole_log::grants::{BUILT_IN, Grants, INTERFACES, LISTS, WASI_WORDS, full_name};

/// What a component imports, by the words of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imports {
    /// Interfaces of the project's package.
    pub interfaces: Vec<&'static str>,
    /// WASI interfaces that can be made inert.
    pub wasi: Vec<&'static str>,
}

/// Reads what a component imports. Of one that is not valid, what can be read: it is refused later.
pub fn imports(bytes: &[u8]) -> Imports {
    let mut found = Imports::default();
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for name in section.into_iter().flatten().map(|import| import.name.name) {
                    let plain = name.split('@').next().unwrap_or(name);
                    found.interfaces.extend(INTERFACES.iter().find(|known| name == full_name(known)));
                    found.wasi.extend(WASI_WORDS.iter().find(|known| **known == plain));
                }
            }
            _ => {}
        }
    }
    found
}

/// The section that a file on the command line belongs to: the one that names its digest, or, where that
/// names only a key, its path. Without one it is refused, with the whole least section that would let it in.
pub fn section_of<'a>(policy: &'a Policy, path: &Path, bytes: &[u8]) -> Result<&'a StrategySection, Error> {
    let digest = keyhole_log::hash::sha256(bytes);
    let named = policy.sections.values().filter(|section| section.digest.as_ref() == Some(&digest));
    let (reason, lines) = match named.collect::<Vec<_>>()[..] {
        [section] => return Ok(section),
        [one, other, ..] => (
            format!(
                "its digest stands in [strategy.{}] and in [strategy.{}]: say which, by name",
                one.name, other.name
            ),
            String::new(),
        ),
        [] => {
            let (folder, here) = (policy.folder(), path.canonicalize().ok());
            let at_path = policy.sections.values().find(|section| {
                let file = section.file.as_ref().and_then(|file| folder.join(file).canonicalize().ok());
                file.is_some() && file == here
            });
            if let Some(section) = at_path {
                return Ok(section);
            }
            let file = policy.file.as_deref().unwrap_or(Path::new("the policy"));
            (
                format!("no stanza of {} names sha256:{digest}", file.display()),
                least(path, &policy.relative(path), &digest, &imports(bytes)),
            )
        }
    };
    Err(Error::NotGranted { path: path.to_owned(), reasons: vec![reason], lines })
}

/// Refuses a component that imports more than its section grants, with the lines that would grant it.
pub fn check_imports(section: &StrategySection, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let (imports, grants, name) = (imports(bytes), &section.grants, &section.name);
    let (mut reasons, mut lines) = (Vec::new(), String::new());
    for (key, imported, granted) in
        [("interfaces", &imports.interfaces, &grants.interfaces), ("wasi", &imports.wasi, &grants.wasi)]
    {
        lines += &more_line(key, granted, imported);
        for word in imported.iter().filter(|word| !granted.contains(word)) {
            let import = if key == "wasi" { (*word).to_owned() } else { full_name(word) };
            reasons.push(format!("it imports {import}, which [strategy.{name}] does not grant"));
        }
    }
    if reasons.is_empty() {
        return Ok(());
    }
    let lines = format!("[strategy.{name}]\n{lines}");
    Err(Error::NotGranted { path: path.to_owned(), reasons, lines })
}

/// The line of a section that grants these words too; none where it grants them already.
fn more_line(key: &str, granted: &[&'static str], words: &[&'static str]) -> String {
    let more = words.iter().filter(|word| !granted.contains(word));
    let all: Vec<&str> = granted.iter().chain(more).copied().collect();
    if all.len() == granted.len() { String::new() } else { format!("{key} = {}\n", list(&all)) }
}

/// The lines that would have allowed what was denied while a strategy ran; none where no policy can.
pub fn for_denials<'a, 'b>(
    name: &str,
    grants: &Grants,
    denials: impl Iterator<Item = (&'a str, &'b str)>,
) -> Option<String> {
    if crate::policy::check_name(name).is_err() || BUILT_IN.contains(&name) {
        return None;
    }
    let denials: Vec<_> = denials.collect();
    let mut lines = String::new();
    for ((key, words), granted) in LISTS.into_iter().zip(grants.lists()) {
        let denied = |word: &&str| {
            denials.iter().any(|(rule, object)| match (key, *rule) {
                ("columns", "read") => object.strip_prefix("log.audit_events.") == Some(word),
                ("functions", "function") => object.eq_ignore_ascii_case(word),
                ("virtual_tables", "virtual-table") => object.to_ascii_lowercase().contains(word),
                _ => false,
            })
        };
        let mut more: Vec<&str> = words.iter().copied().filter(denied).collect();
        more.sort_unstable();
        lines += &more_line(key, granted, &more);
    }
    (!lines.is_empty()).then(|| format!("[strategy.{name}]\n{lines}"))
}

/// A refresh's error, with the lines that would have kept it away. A column that scratch is not fed with is
/// one that SQLite does not know.
pub fn of_refresh(error: Error, name: &str, grants: &Grants) -> Error {
    let mut innermost = &error;
    loop {
        innermost = match innermost {
            Error::During { source, .. } => source,
            Error::Repeated { source, .. } => source,
            _ => break,
        }
    }
    let denial = match innermost {
        Error::Denied { rule, object } => Some((*rule, object.clone())),
        Error::Sql { .. } | Error::GaveUp { .. } => {
            let text = error.to_string();
            let column =
                text.split("no such column: ").nth(1).and_then(|rest| rest.split_whitespace().next());
            column
                .and_then(|column| column.split(|c: char| !c.is_alphanumeric() && c != '_').next_back())
                .map(|column| ("read", format!("log.audit_events.{column}")))
        }
        _ => None,
    };
    match for_denials(name, grants, denial.iter().map(|(rule, object)| (*rule, object.as_str()))) {
        Some(lines) => Error::Ungranted { lines, source: Box::new(error) },
        None => error,
    }
}

/// The least section for a component that has not run yet: what it imports, and nothing that it might read.
fn least(path: &Path, file: &Path, digest: &str, imports: &Imports) -> String {
    let name = section_name(path);
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

/// A name that a section may have, made of a file's.
fn section_name(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
    let name = name.trim_matches('-').trim_end_matches("-warm").to_owned();
    let taken = name.is_empty() || BUILT_IN.contains(&name.as_str());
    if taken { format!("my-{name}").trim_end_matches('-').to_owned() } else { name }
}
