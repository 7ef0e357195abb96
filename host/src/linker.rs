//! The grant list: everything that a strategy can reach, in one file.
//!
//! A strategy's imports are the interfaces linked here and nothing else. There is no WASI.

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::{diagnostics, log, payloads, scratch, types};
use crate::engine::Engine;
use crate::error::Error;
use crate::policy::Grants;
use crate::state::State;

/// The version of the project's package that this host offers.
pub const PACKAGE: &str = "keyhole:strategy";

/// Its version.
pub const VERSION: &str = "0.1.0";

/// An interface's full name, such as `keyhole:strategy/log@0.1.0`.
pub fn full_name(interface: &str) -> String {
    format!("{PACKAGE}/{interface}@{VERSION}")
}

/// Links the granted interfaces, one by one.
pub fn linker(engine: &Engine, grants: &Grants) -> Result<Linker<State>, Error> {
    let mut linker = Linker::new(engine.wasmtime());
    let link = |linker: &mut Linker<State>| -> wasmtime::Result<()> {
        // Types only: no function.
        types::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
        for interface in &grants.interfaces {
            match *interface {
                "log" => log::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
                "payloads" => payloads::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
                "diagnostics" => diagnostics::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
                "scratch" => scratch::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
                other => return Err(wasmtime::Error::msg(format!("there is no interface {other} to grant"))),
            }
        }
        Ok(())
    };
    link(&mut linker).map_err(|error| Error::Engine(format!("{error:#}")))?;
    Ok(linker)
}

/// Why a component with these imports cannot be let in under these grants; empty if it can.
pub fn ungranted<'a>(imports: impl Iterator<Item = &'a str>, grants: &Grants) -> Vec<String> {
    let offered: Vec<String> = grants.interfaces.iter().copied().chain(["types"]).map(full_name).collect();
    imports
        .filter(|import| !offered.iter().any(|name| name == import))
        .map(|import| explain(import, grants))
        .collect()
}

fn explain(import: &str, grants: &Grants) -> String {
    let (name, version) = import.split_once('@').unwrap_or((import, ""));
    match name.strip_prefix(PACKAGE).and_then(|rest| rest.strip_prefix('/')) {
        Some(interface) if !crate::policy::INTERFACES.contains(&interface) && interface != "types" => {
            format!("it imports {import}, which does not exist")
        }
        Some(_) if version != VERSION => {
            format!("it imports {import}; this host offers version {VERSION}: build it against that")
        }
        Some(interface) => {
            let mut wanted = vec![interface];
            wanted.extend(&grants.interfaces);
            format!("it imports {import}, which is not granted: interfaces = {wanted:?} would grant it")
        }
        None => format!("it imports {import}, which this host never links"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refused_import_says_why() {
        let grants = Grants { interfaces: vec!["log"], ..Grants::local() };
        let imports = [
            "keyhole:strategy/types@0.1.0",
            "keyhole:strategy/log@0.1.0",
            "keyhole:strategy/scratch@0.1.0",
            "keyhole:strategy/log@0.2.0",
            "keyhole:strategy/network@0.1.0",
            "wasi:filesystem/types@0.2.6",
        ];
        let reasons = ungranted(imports.into_iter(), &grants);
        assert_eq!(
            reasons,
            [
                "it imports keyhole:strategy/scratch@0.1.0, which is not granted: interfaces = [\"scratch\", \"log\"] would grant it",
                "it imports keyhole:strategy/log@0.2.0; this host offers version 0.1.0: build it against that",
                "it imports keyhole:strategy/network@0.1.0, which does not exist",
                "it imports wasi:filesystem/types@0.2.6, which this host never links",
            ]
        );
    }
}
