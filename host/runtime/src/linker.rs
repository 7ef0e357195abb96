//! Links what is granted. A strategy's imports are the interfaces linked here and nothing else, each one only
//! where it is granted; of WASI that is what can be made inert (`imports/wasi`). `grants` lists their names.

use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::p2::bindings::{cli, clocks, random, sync};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};

use crate::bindings::{diagnostics, log, payloads, scratch, types};
use crate::inert::{Still, Table};
use crate::state::State;
use keyhole_log::error::Error;
use keyhole_log::grants::{Grants, INERT, INTERFACES, PACKAGE, VERSION, WASI};

/// The versions of WASI that are offered: all of one track are the same to a component.
const WASI_TRACK: &str = "0.2.";

/// What reaches beyond the sandbox by its nature, and so is never linked, whatever a policy says.
const NEVER: [&str; 7] = [
    "wasi:blobstore/",
    "wasi:config/",
    "wasi:filesystem/",
    "wasi:http/",
    "wasi:keyvalue/",
    "wasi:messaging/",
    "wasi:sockets/",
];

/// The interfaces of WASI that these grants stand for.
pub fn granted_wasi(grants: &Grants) -> Vec<&'static str> {
    let granted = |name: &&'static str| grants.wasi.iter().any(|grant| grant == name || *grant == INERT);
    WASI.into_iter().filter(granted).collect()
}

/// Links the granted interfaces, one by one.
pub fn linker(engine: &wasmtime::Engine, grants: &Grants) -> Result<Linker<State>, Error> {
    let mut linker = Linker::new(engine);
    let link = |linker: &mut Linker<State>| -> wasmtime::Result<()> {
        // Types only: no function.
        types::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
        for &interface in &grants.interfaces {
            match interface {
                "log" => log::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
                "payloads" => payloads::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
                "diagnostics" => diagnostics::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
                "scratch" => scratch::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
                other => return Err(wasmtime::Error::msg(format!("there is no interface {other} to grant"))),
            }
        }
        granted_wasi(grants).into_iter().try_for_each(|interface| link_wasi(linker, interface))
    };
    link(&mut linker).map_err(|error| Error::Engine(format!("{error:#}")))?;
    Ok(linker)
}

/// Links interfaces of WASI: name, module, whose data it needs, and where they are in the state.
macro_rules! wasi {
    ($linker:ident, $interface:ident: $($name:literal => $($module:ident)::+, $data:ident, $view:ident;)*) => {
        match $interface {
            $($name => $($module)::+::add_to_linker::<State, $data>($linker, |state| state.using($name).$view()),)*
            other => Err(wasmtime::Error::msg(format!("there is no interface {other} to grant"))),
        }
    };
}

fn link_wasi(linker: &mut Linker<State>, interface: &str) -> wasmtime::Result<()> {
    wasi! { linker, interface:
        "wasi:cli/environment" => cli::environment, WasiCli, cli;
        "wasi:cli/exit" => cli::exit, WasiCli, cli;
        "wasi:cli/stderr" => cli::stderr, WasiCli, cli;
        "wasi:cli/stdin" => cli::stdin, WasiCli, cli;
        "wasi:cli/stdout" => cli::stdout, WasiCli, cli;
        "wasi:cli/terminal-input" => cli::terminal_input, WasiCli, cli;
        "wasi:cli/terminal-output" => cli::terminal_output, WasiCli, cli;
        "wasi:cli/terminal-stderr" => cli::terminal_stderr, WasiCli, cli;
        "wasi:cli/terminal-stdin" => cli::terminal_stdin, WasiCli, cli;
        "wasi:cli/terminal-stdout" => cli::terminal_stdout, WasiCli, cli;
        "wasi:clocks/monotonic-clock" => clocks::monotonic_clock, Still, still;
        "wasi:clocks/wall-clock" => clocks::wall_clock, WasiClocks, clocks;
        "wasi:io/error" => sync::io::error, Table, table;
        "wasi:io/poll" => sync::io::poll, Still, still;
        "wasi:io/streams" => sync::io::streams, Table, table;
        "wasi:random/insecure" => random::insecure, WasiRandom, random;
        "wasi:random/insecure-seed" => random::insecure_seed, WasiRandom, random;
        "wasi:random/random" => random::random, WasiRandom, random;
    }
}

/// Why a component with these imports cannot be let in under these grants; empty if it can. Where a
/// policy could let it in, the last reasons are the policy's lines that would.
pub fn ungranted<'a>(imports: impl Iterator<Item = &'a str>, grants: &Grants) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut interfaces: Vec<&str> = grants.interfaces.clone();
    let mut wasi: Vec<&str> = grants.wasi.clone();
    for import in imports {
        let (name, version) = import.split_once('@').unwrap_or((import, ""));
        let reason = match (name.strip_prefix(PACKAGE).and_then(|rest| rest.strip_prefix('/')), name) {
            (Some("types"), _) if version == VERSION => continue,
            (Some(interface), _) if !INTERFACES.contains(&interface) && interface != "types" => {
                "which does not exist".to_owned()
            }
            (Some(_), _) if version != VERSION => {
                format!("but this host offers version {VERSION}: build it against that")
            }
            (Some(interface), _) if grants.interfaces.contains(&interface) => continue,
            (Some(interface), _) => {
                interfaces.push(interface);
                "which is not granted".to_owned()
            }
            (None, name) if WASI.contains(&name) && !version.starts_with(WASI_TRACK) => {
                format!("but this host offers versions {WASI_TRACK}x: build it against one of those")
            }
            (None, name) if granted_wasi(grants).contains(&name) => continue,
            (None, name) if WASI.contains(&name) => {
                wasi.push(name);
                "which is not granted".to_owned()
            }
            (None, name) if NEVER.iter().any(|never| name.starts_with(never)) => {
                "which reaches beyond the sandbox: this host never links it, whatever a policy grants"
                    .to_owned()
            }
            (None, _) => "which this host does not know".to_owned(),
        };
        reasons.push(format!("it imports {import}, {reason}"));
    }
    if interfaces.len() > grants.interfaces.len() {
        reasons.push(format!("interfaces = {interfaces:?} would grant what it imports of {PACKAGE}"));
    }
    if wasi.len() > grants.wasi.len() {
        reasons.push(format!(
            "wasi = {wasi:?} would grant what it imports of WASI, or wasi = [{INERT:?}] all that is inert"
        ));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use keyhole_log::limits::Ceilings;
    use wasmtime::component::Component;

    use super::*;
    use crate::engine::Engine;
    use crate::registry;

    #[test]
    fn each_refused_import_says_why() {
        let grants = Grants { interfaces: vec!["log"], wasi: vec!["wasi:cli/exit"], ..Grants::local() };
        let imports = [
            "keyhole:strategy/types@0.1.0",
            "keyhole:strategy/log@0.1.0",
            "keyhole:strategy/scratch@0.1.0",
            "keyhole:strategy/log@0.2.0",
            "keyhole:strategy/network@0.1.0",
            "wasi:cli/exit@0.2.99",
            "wasi:cli/environment@0.2.0",
            "wasi:cli/environment@0.3.0",
            "wasi:filesystem/types@0.2.6",
            "acme:logger/sink",
        ];
        let reasons = ungranted(imports.into_iter(), &grants);
        assert_eq!(
            reasons,
            [
                "it imports keyhole:strategy/scratch@0.1.0, which is not granted",
                "it imports keyhole:strategy/log@0.2.0, but this host offers version 0.1.0: build it against that",
                "it imports keyhole:strategy/network@0.1.0, which does not exist",
                "it imports wasi:cli/environment@0.2.0, which is not granted",
                "it imports wasi:cli/environment@0.3.0, but this host offers versions 0.2.x: build it against one of those",
                "it imports wasi:filesystem/types@0.2.6, which reaches beyond the sandbox: this host never links it, whatever a policy grants",
                "it imports acme:logger/sink, which this host does not know",
                "interfaces = [\"log\", \"scratch\"] would grant what it imports of keyhole:strategy",
                "wasi = [\"wasi:cli/exit\", \"wasi:cli/environment\"] would grant what it imports of WASI, or wasi = [\"inert\"] all that is inert",
            ]
        );
    }

    /// Without a look at the list of imports.
    #[test]
    fn what_is_not_granted_is_not_linked() {
        let engine = Engine::new(&Ceilings::default()).unwrap();
        let keyset = registry::bytes("keyset").unwrap().unwrap();
        let component = Component::new(engine.wasmtime(), keyset).unwrap();
        let links = |interfaces: &[&'static str]| {
            let grants = Grants { interfaces: interfaces.to_vec(), ..Grants::local() };
            linker(engine.wasmtime(), &grants).unwrap().instantiate_pre(&component).is_ok()
        };
        assert!(links(&INTERFACES));
        assert!(!links(&["log", "payloads", "diagnostics"]));
    }

    #[test]
    fn inert_grants_all_that_is_inert_and_nothing_else() {
        let grants = Grants { wasi: vec![INERT], ..Grants::local() };
        let imports: Vec<String> = WASI.iter().map(|name| format!("{name}@0.2.6")).collect();
        assert_eq!(ungranted(imports.iter().map(String::as_str), &grants), Vec::<String>::new());
        assert_eq!(ungranted(["wasi:sockets/tcp@0.2.6"].into_iter(), &grants).len(), 1);
    }
}
