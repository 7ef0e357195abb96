//! Which strategy answers under which name: those that the binary carries, and files.

use std::path::Path;
use std::sync::Arc;

use crate::engine::Engine;
use crate::error::Error;
use crate::limits::Limits;
use crate::loader::file::read;
use crate::policy::{Grants, KEY_COLUMNS};
use crate::strategy::Strategy;

/// The baseline, as it is embedded.
pub const BASELINE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/baseline.wasm"));

/// The keyset strategy, as it is embedded.
pub const KEYSET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/keyset.wasm"));

/// The digests of the sources that the embedded baseline was built from, as `sha256sum` writes them.
pub const BASELINE_SOURCES: &str = include_str!(concat!(env!("OUT_DIR"), "/baseline_sources.sha256"));

/// The digests that they were frozen with.
pub const BASELINE_MANIFEST: &str = include_str!("../../tests/data/baseline.sha256");

pub use crate::policy::grants::BUILT_IN;

/// Whether these are the bytes of a strategy that the binary carries.
pub fn is_built_in(bytes: &[u8]) -> bool {
    [BASELINE, KEYSET].contains(&bytes)
}

/// The component behind a name or a path, as bytes. None for a native twin.
pub fn bytes(name: &str) -> Result<Option<Vec<u8>>, Error> {
    match name {
        "baseline" => Ok(Some(BASELINE.to_vec())),
        "keyset" => Ok(Some(KEYSET.to_vec())),
        "native-baseline" | "native-keyset" => Ok(None),
        path if is_path(path) => read(Path::new(path)).map(Some),
        _ => Err(Error::NoSuchStrategy { name: name.to_owned() }),
    }
}

/// The strategy of that name: a built-in, or a file if the name contains `/` or ends in `.wasm`.
pub fn strategy(engine: &Engine, name: &str) -> Result<Arc<Strategy>, Error> {
    match name {
        "baseline" => Strategy::load(engine, name, Path::new(name), BASELINE, offset_grants()),
        "keyset" => Strategy::load(engine, name, Path::new(name), KEYSET, keyset_grants()),
        "native-baseline" => Ok(Strategy::native_baseline(name, BASELINE, offset_grants())),
        "native-keyset" => Ok(Strategy::native_keyset(name, KEYSET, keyset_grants())),
        path if is_path(path) => {
            let bytes = read(Path::new(path))?;
            Strategy::load(engine, path, Path::new(path), &bytes, Grants::local())
        }
        _ => Err(Error::NoSuchStrategy { name: name.to_owned() }),
    }
}

fn is_path(name: &str) -> bool {
    name.contains('/') || Path::new(name).extension().is_some_and(|extension| extension == "wasm")
}

fn offset_grants() -> Grants {
    Grants {
        interfaces: vec!["log", "payloads", "diagnostics"],
        limits: Limits::default().for_offset_paging(),
        ..Grants::local()
    }
}

fn keyset_grants() -> Grants {
    Grants { columns: KEY_COLUMNS.to_vec(), ..Grants::local() }
}
