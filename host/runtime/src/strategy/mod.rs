//! A strategy: a compiled and pre-linked component, or a native twin. One page is one call.

pub mod instance;
pub mod lane;
pub mod share;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::component::InstancePre;
use wasmtime::component::types::ComponentItem;

use crate::bindings::{indexing, paging};
use crate::compilation::one_line;
use crate::engine::Engine;
use crate::linker;
use crate::loader::examine::not_a_component;
use crate::state::State;
use keyhole_log::error::Error;
use keyhole_log::grants::{Grants, full_name};
use share::Share;

/// A strategy that may be called. Shared by all its workers.
pub struct Strategy {
    /// The name that it serves under.
    pub name: String,
    /// SHA-256 of the component, in hex; of a native twin, that of the code that it stands for.
    pub digest: String,
    /// What it may do.
    pub grants: Grants,
    /// The requests of it that run.
    pub(crate) share: Arc<Share>,
    pub(crate) code: Code,
}

/// What runs when a strategy is called.
pub(crate) enum Code {
    /// A component in the sandbox.
    Component(Arc<Compiled>),
    /// `native-baseline`.
    NativeBaseline,
    /// `native-keyset`.
    NativeKeyset,
}

/// A component, compiled and linked: what remains for each request is to instantiate it.
pub(crate) struct Compiled {
    pub(crate) pre: InstancePre<State>,
    pub(crate) paging: paging::GuestIndices,
    pub(crate) indexing: Option<indexing::GuestIndices>,
}

impl Strategy {
    /// Compiles and links a component. Refuses, with every reason at once, one that asks for more
    /// than it is granted or does not fit a world of the package. `origin` is where it comes from.
    pub fn load(
        engine: &Engine,
        name: &str,
        origin: &Path,
        bytes: &[u8],
        grants: Grants,
    ) -> Result<Arc<Self>, Error> {
        let compiled = compile(engine, origin, bytes, &grants)?;
        Ok(Arc::new(Self {
            name: name.to_owned(),
            digest: keyhole_log::hash::hex(&Sha256::digest(bytes)),
            share: Share::new(grants.at_once),
            grants,
            code: Code::Component(Arc::new(compiled)),
        }))
    }

    /// The twin of the baseline.
    pub fn native_baseline(name: &str, stands_for: &[u8], grants: Grants) -> Arc<Self> {
        Self::native(name, stands_for, grants, Code::NativeBaseline)
    }

    /// The twin of the keyset strategy.
    pub fn native_keyset(name: &str, stands_for: &[u8], grants: Grants) -> Arc<Self> {
        Self::native(name, stands_for, grants, Code::NativeKeyset)
    }

    fn native(name: &str, stands_for: &[u8], grants: Grants, code: Code) -> Arc<Self> {
        let digest = Sha256::new().chain_update(name).chain_update(stands_for).finalize();
        Arc::new(Self {
            name: name.to_owned(),
            digest: keyhole_log::hash::hex(&digest),
            share: Share::new(grants.at_once),
            grants,
            code,
        })
    }

    /// Whether it runs in the sandbox.
    pub fn is_sandboxed(&self) -> bool {
        matches!(self.code, Code::Component(_))
    }

    /// Whether it keeps tables of its own in scratch.
    pub fn is_indexed(&self) -> bool {
        match &self.code {
            Code::Component(compiled) => compiled.indexing.is_some(),
            Code::NativeBaseline => false,
            Code::NativeKeyset => true,
        }
    }
}

fn compile(engine: &Engine, origin: &Path, bytes: &[u8], grants: &Grants) -> Result<Compiled, Error> {
    let refused = |reasons: Vec<String>| Error::Refused { path: PathBuf::from(origin), reasons };
    if let Some(reason) = not_a_component(bytes) {
        return Err(refused(vec![reason.to_owned()]));
    }
    let component =
        engine.loader().component(engine.wasmtime(), engine.ceilings().fuel, origin, bytes, grants)?;
    // The code may be older than the grants, so its imports are compared at each load.
    let types = component.component_type();
    let imports: Vec<String> = types.imports(engine.wasmtime()).map(|(name, _)| name.to_owned()).collect();
    let mut reasons = linker::ungranted(imports.iter().map(String::as_str), grants);
    if component.resources_required().is_none() {
        reasons.push("it imports a core module or a component".to_owned());
    }
    let exports = |interface: &str| {
        let name = full_name(interface);
        types
            .exports(engine.wasmtime())
            .any(|(export, item)| export == name && matches!(item.ty, ComponentItem::ComponentInstance(_)))
    };
    if !exports("paging") {
        reasons.push(format!("it does not export {}", full_name("paging")));
    }
    let indexed = exports("indexing");
    if indexed && !imports.contains(&full_name("scratch")) {
        reasons.push(format!("it exports indexing but does not import {}", full_name("scratch")));
    }
    if !reasons.is_empty() {
        return Err(refused(reasons));
    }
    let link = || -> wasmtime::Result<Compiled> {
        let pre = linker::linker(engine.wasmtime(), grants)
            .map_err(wasmtime::Error::new)?
            .instantiate_pre(&component)?;
        let paging = paging::GuestIndices::new(&pre)?;
        let indexing = if indexed { Some(indexing::GuestIndices::new(&pre)?) } else { None };
        Ok(Compiled { pre, paging, indexing })
    };
    link().map_err(|error| {
        refused(vec![format!("its types are not those of the package: {}", one_line(&error))])
    })
}
