//! What a component says of itself. It is parsed only; nothing of it runs.

use serde::Serialize;
use wasmparser::{KnownCustom, Parser, Payload};
use wit_parser::{Resolve, SourceMap};

use super::examine;
use keyhole_log::grants::Grants;

/// The package's WIT: the name and the text of each file of `wit/`.
const WIT: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/wit.rs"));

/// The worlds that a strategy may be of, the richer one first.
const WORLDS: [&str; 2] = ["indexed-strategy", "strategy"];

/// What a component's bytes say.
#[derive(Debug, Default, Serialize)]
pub struct Inspection {
    /// The strategy, as it was asked for.
    pub strategy: String,
    /// SHA-256 of the bytes, as policies write it. None for a native twin, which has no component.
    pub digest: Option<String>,
    /// How many bytes.
    pub bytes: Option<usize>,
    /// Who signed the bytes, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// What the toolchains wrote about themselves.
    pub producers: Vec<String>,
    /// Core modules in the component.
    pub core_modules: usize,
    /// Names of its imports.
    pub imports: Vec<String>,
    /// Names of its exports.
    pub exports: Vec<String>,
    /// The world of the package that it is of.
    pub world: Option<&'static str>,
    /// Whether it is a strategy of one of the package's worlds.
    pub fit: bool,
    /// Why it is not.
    pub why_not: Vec<String>,
}

/// Why these bytes are no strategy of the package's worlds; nothing where they are one.
pub fn misfits(bytes: &[u8]) -> Vec<String> {
    inspect("", bytes).why_not
}

/// What these bytes say of themselves.
pub fn inspect(name: &str, bytes: &[u8]) -> Inspection {
    let mut found = Inspection {
        strategy: name.to_owned(),
        digest: Some(format!("sha256:{}", keyhole_log::hash::sha256(bytes))),
        bytes: Some(bytes.len()),
        ..Inspection::default()
    };
    let shape = match examine::examine(bytes) {
        Ok(shape) => shape,
        Err(reason) => {
            found.why_not.push(reason);
            return found;
        }
    };
    found.core_modules = shape.modules;
    // The sections are valid: what cannot be read of them is only left out.
    let _ = read_producers(bytes, &mut found);
    // Names are taken as they stand: to decode the types behind them is to follow whatever circles a
    // hostile file describes, until the stack is used up.
    found.imports.clone_from(&shape.imports);
    found.exports.clone_from(&shape.exports);
    found.why_not.extend(shape.refusals(&Grants::local()));
    if found.why_not.is_empty() {
        fit(bytes, &mut found);
    }
    found.fit = found.why_not.is_empty();
    found
}

/// Finds the world that the component is of, types included.
fn fit(bytes: &[u8], found: &mut Inspection) {
    let mut reasons = Vec::new();
    for name in WORLDS {
        match targets(bytes, name) {
            Ok(()) => {
                found.world = Some(name);
                return;
            }
            Err(error) => reasons.push(format!("it is not of world {name}: {error}")),
        }
    }
    found.why_not.extend(reasons);
}

fn targets(bytes: &[u8], world: &str) -> Result<(), String> {
    let run = || -> anyhow::Result<()> {
        let mut sources = SourceMap::new();
        for (name, text) in WIT {
            sources.push_str(name, *text);
        }
        let mut resolve = Resolve::default();
        let group = sources.parse().map_err(|(_, error)| anyhow::anyhow!("{error}"))?;
        let package = resolve.push_group(group)?;
        let world = resolve.select_world(&[package], Some(world))?;
        wit_component::targets(&resolve, world, bytes)
    };
    run().map_err(|error| format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Collects what the toolchains wrote about themselves.
fn read_producers(bytes: &[u8], found: &mut Inspection) -> wasmparser::Result<()> {
    for payload in Parser::new(0).parse_all(bytes) {
        let Payload::CustomSection(section) = payload? else { continue };
        let KnownCustom::Producers(fields) = section.as_known() else { continue };
        for field in fields {
            let field = field?;
            for value in field.values {
                let value = value?;
                let text = format!("{}: {} {}", field.name, value.name, value.version);
                let text: String =
                    text.chars().filter(|character| !character.is_control()).take(120).collect();
                if !found.producers.contains(&text) && found.producers.len() < 32 {
                    found.producers.push(text);
                }
            }
        }
    }
    Ok(())
}
