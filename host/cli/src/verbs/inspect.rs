//! `inspect`: what a component says of itself. It is parsed only; nothing of it runs.

use serde::Serialize;
use sha2::{Digest, Sha256};
use wasmparser::{KnownCustom, Parser, Payload};
use wit_parser::{Resolve, SourceMap};

use crate::cli::{Common, InspectArgs};
use crate::commands::output::Output;
use crate::error::Error;
use crate::loader::examine;
use crate::policy::identity::{self, Signed};
use crate::policy::{Grants, Policy};
use crate::registry::Registry;

/// The package's WIT, as it is embedded.
const WIT: [(&str, &str); 8] = [
    ("types.wit", include_str!("../../../../wit/types.wit")),
    ("log.wit", include_str!("../../../../wit/log.wit")),
    ("payloads.wit", include_str!("../../../../wit/payloads.wit")),
    ("diagnostics.wit", include_str!("../../../../wit/diagnostics.wit")),
    ("scratch.wit", include_str!("../../../../wit/scratch.wit")),
    ("paging.wit", include_str!("../../../../wit/paging.wit")),
    ("indexing.wit", include_str!("../../../../wit/indexing.wit")),
    ("world.wit", include_str!("../../../../wit/world.wit")),
];

/// The worlds that a strategy may be of, the richer one first.
const WORLDS: [&str; 2] = ["indexed-strategy", "strategy"];

/// What was found.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Findings {
    pub(crate) strategy: String,
    pub(crate) digest: Option<String>,
    pub(crate) bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signature: Option<String>,
    pub(crate) producers: Vec<String>,
    pub(crate) core_modules: usize,
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    pub(crate) world: Option<&'static str>,
    pub(crate) fit: bool,
    pub(crate) why_not: Vec<String>,
}

/// Runs the verb: 0 if the component fits, 1 if it does not.
pub fn run(common: &Common, args: &InspectArgs) -> Result<u8, Error> {
    let policy = Policy::load(common.policy.as_deref())?;
    let registry = Registry::new(&policy);
    let bytes = registry.bytes(&args.strategy)?;
    let signature = match (&bytes, registry.path(&args.strategy)) {
        (Some(bytes), Some(path)) => match identity::signer(policy.keys.iter(), &path, bytes)? {
            Signed::No => None,
            Signed::By(key) => Some(format!("by key {key} of the policy")),
            Signed::ByNobodyKnown => Some("there is one, but it holds for no key of the policy".to_owned()),
        },
        _ => None,
    };
    let mut findings = match bytes {
        Some(bytes) => inspect(&args.strategy, &bytes),
        None => Findings {
            strategy: args.strategy.clone(),
            why_not: vec![
                "it is plain Rust inside this program: there is no component to inspect".to_owned(),
            ],
            ..Findings::default()
        },
    };
    findings.signature = signature;
    let mut output = Output::open(common)?;
    if common.json {
        output.json(&findings)?;
    } else {
        output.write(readable(&findings).as_bytes())?;
    }
    output.flush()?;
    Ok(u8::from(!findings.fit))
}

/// Why these bytes are no strategy of the package's worlds; nothing where they are one.
pub fn misfits(bytes: &[u8]) -> Vec<String> {
    inspect("", bytes).why_not
}

/// What these bytes say of themselves.
pub(crate) fn inspect(name: &str, bytes: &[u8]) -> Findings {
    let mut findings = Findings {
        strategy: name.to_owned(),
        digest: Some(format!("sha256:{}", crate::hex(&Sha256::digest(bytes)))),
        bytes: Some(bytes.len()),
        ..Findings::default()
    };
    let shape = match examine::examine(bytes) {
        Ok(shape) => shape,
        Err(reason) => {
            findings.why_not.push(reason);
            return findings;
        }
    };
    findings.core_modules = shape.modules;
    // The sections are valid: what cannot be read of them is only left out.
    let _ = read_producers(bytes, &mut findings);
    // Names are taken as they stand: to decode the types behind them is to follow whatever circles a
    // hostile file describes, until the stack is used up.
    findings.imports.clone_from(&shape.imports);
    findings.exports.clone_from(&shape.exports);
    findings.why_not.extend(shape.refusals(&Grants::local()));
    if findings.why_not.is_empty() {
        fit(bytes, &mut findings);
    }
    findings.fit = findings.why_not.is_empty();
    findings
}

/// Finds the world that the component is of, types included.
fn fit(bytes: &[u8], findings: &mut Findings) {
    let mut reasons = Vec::new();
    for name in WORLDS {
        match targets(bytes, name) {
            Ok(()) => {
                findings.world = Some(name);
                return;
            }
            Err(error) => reasons.push(format!("it is not of world {name}: {error}")),
        }
    }
    findings.why_not.extend(reasons);
}

fn targets(bytes: &[u8], world: &str) -> Result<(), String> {
    let run = || -> anyhow::Result<()> {
        let mut sources = SourceMap::new();
        for (name, text) in WIT {
            sources.push_str(name, text);
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
fn read_producers(bytes: &[u8], findings: &mut Findings) -> wasmparser::Result<()> {
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
                if !findings.producers.contains(&text) && findings.producers.len() < 32 {
                    findings.producers.push(text);
                }
            }
        }
    }
    Ok(())
}

fn readable(findings: &Findings) -> String {
    let mut lines = vec![format!("strategy   {}", findings.strategy)];
    if let (Some(digest), Some(bytes)) = (&findings.digest, findings.bytes) {
        lines.push(format!("digest     {digest}"));
        lines.push(format!("size       {bytes} bytes, {} core modules", findings.core_modules));
    }
    if let Some(signature) = &findings.signature {
        lines.push(format!("signature  {signature}"));
    }
    let mut list = |title: &str, items: &[String]| {
        for (index, item) in items.iter().enumerate() {
            lines.push(format!("{:<10} {item}", if index == 0 { title } else { "" }));
        }
    };
    list("claims", &findings.producers);
    list("imports", &findings.imports);
    list("exports", &findings.exports);
    if let Some(world) = findings.world {
        lines.push(format!("verdict    fit: a strategy of world {world}"));
    } else {
        lines.push("verdict    unfit".to_owned());
        lines.extend(findings.why_not.iter().map(|reason| format!("           {reason}")));
    }
    lines.join("\n") + "\n"
}
