//! `inspect`: what a component says of itself. It is parsed only; nothing of it runs.

use crate::args::Common;
use crate::report::{Block, Cell, Document, Level, Section, Verdict};
use crate::verbs::document;
use crate::verbs::output::Output;
use keyhole_log::error::Error;
use keyhole_runtime::loader::inspect::{Inspection, inspect};
use keyhole_runtime::policy::Policy;
use keyhole_runtime::policy::identity::{self, Signed};
use keyhole_runtime::registry::Registry;

/// Options of `inspect`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A built-in strategy, one of the policy, or a component file.
    pub strategy: String,
}

/// Runs the verb: 0 if the component fits, 1 if it does not.
pub fn run(common: &Common, args: &Args, output: &mut Output) -> Result<u8, Error> {
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
    let mut found = match bytes {
        Some(bytes) => inspect(&args.strategy, &bytes),
        None => Inspection {
            strategy: args.strategy.clone(),
            why_not: vec![
                "it is plain Rust inside this program: there is no component to inspect".to_owned(),
            ],
            ..Inspection::default()
        },
    };
    found.signature = signature;
    document::show(output, common, &document(&found), &found)?;
    Ok(u8::from(!found.fit))
}

fn document(found: &Inspection) -> Document {
    let verdict = match found.world {
        Some(world) => (Level::Good, format!("fit: a strategy of world {world}")),
        None => (Level::Bad, "unfit".to_owned()),
    };
    let mut facts: Vec<(String, Cell)> = Vec::new();
    let mut fact = |name: &str, words: String| facts.push((name.to_owned(), words.into()));
    if let (Some(digest), Some(bytes)) = (&found.digest, found.bytes) {
        fact("digest", digest.clone());
        fact("size", format!("{bytes} bytes, {} core modules", found.core_modules));
    }
    if let Some(signature) = &found.signature {
        fact("signature", signature.clone());
    }
    for (name, items) in
        [("claims", &found.producers), ("imports", &found.imports), ("exports", &found.exports)]
    {
        for (item, name) in items.iter().zip(std::iter::once(name).chain(std::iter::repeat(""))) {
            fact(name, item.clone());
        }
    }
    Document {
        title: format!("strategy {}", found.strategy),
        verdict: Some(Verdict {
            level: verdict.0,
            words: verdict.1,
            reasons: found.why_not.iter().map(|reason| reason.as_str().into()).collect(),
        }),
        sections: vec![Section::new("").with(Block::KeyValues(facts))],
    }
}
