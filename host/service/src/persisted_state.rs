//! What the state folder keeps over a restart: which strategies serve, and their components.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::deployment::Deployment;
use crate::state_file::{is_digest, read, replace};
use keyhole_log::error::Error;
use keyhole_runtime::loader::file;
use keyhole_runtime::policy::identity::signature_path;

/// The most that the file may hold: a few names and digests.
const MOST_BYTES: u64 = 64 << 10;

/// The version of the file's form.
const VERSION: u32 = 1;

/// The file: what serves, and what served before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PersistedState {
    version: u32,
    /// The active strategy; none where none is.
    pub(super) active: Option<PersistedDeployment>,
    /// The fallbacks, the latest last.
    pub(super) good: Vec<PersistedDeployment>,
}

/// A deployment by name and digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PersistedDeployment {
    pub(super) name: String,
    /// SHA-256 of its component, in hex.
    pub(super) digest: String,
    /// Whether it was proven before it served.
    pub(super) proven: bool,
}

impl PersistedDeployment {
    pub(super) fn of(deployment: &Deployment) -> Self {
        let (name, digest) = (deployment.name.to_string(), deployment.digest.to_string());
        Self { name, digest, proven: deployment.is_proven() }
    }
}

impl PersistedState {
    /// Reads the file; None at the first start. A file that is not whole is an error: what serves is never
    /// guessed.
    pub(super) fn read(state: &Path) -> Result<Option<Self>, Error> {
        let path = state.join("serving.json");
        let bad = |what: String| Error::BadState { path: path.clone(), what };
        let Some(text) = read(&path, MOST_BYTES)? else { return Ok(None) };
        let read: Self = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        if read.version != VERSION {
            return Err(bad(format!("it is of version {}, and this program writes {VERSION}", read.version)));
        }
        for known in read.active.iter().chain(&read.good) {
            if !is_digest(&known.digest) {
                return Err(bad(format!("the digest of {:?} is none", known.name)));
            }
        }
        Ok(Some(read))
    }

    /// Writes the file, with the components of these deployments and no other's. When this returns all of it is
    /// on disk.
    pub(super) fn write(
        state: &Path,
        active: Option<&Arc<Deployment>>,
        fallbacks: &[Arc<Deployment>],
    ) -> Result<(), Error> {
        let all: Vec<&Deployment> = active.into_iter().chain(fallbacks).map(Arc::as_ref).collect();
        keep_components(state, &all)?;
        let active = active.map(|active| PersistedDeployment::of(active));
        let good = fallbacks.iter().map(|fallback| PersistedDeployment::of(fallback)).collect();
        let text = serde_json::to_vec_pretty(&Self { version: VERSION, active, good });
        let mut text = text.map_err(|error| Error::Engine(error.to_string()))?;
        text.push(b'\n');
        replace(state, &state.join("serving.json"), &text)
    }
}

/// Keeps the components of these deployments, and removes any other.
fn keep_components(state: &Path, deployments: &[&Deployment]) -> Result<(), Error> {
    let folder = folder(state);
    let failed = |source| Error::io(&folder, source);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
    for deployment in deployments {
        let path = component_path(state, &deployment.digest);
        if let Some(bytes) = &deployment.bytes
            && !path.exists()
        {
            if let Some(signature) = &deployment.signature {
                replace(&folder, &signature_path(&path), signature)?;
            }
            replace(&folder, &path, bytes)?;
        }
    }
    for entry in fs::read_dir(&folder).map_err(failed)?.flatten() {
        let path = entry.path();
        let kept = deployments.iter().any(|known| component_path(state, &known.digest) == path);
        if !kept && path.extension().is_some_and(|extension| extension == "wasm") {
            // What cannot be removed is never read by another name than its digest.
            let _ = fs::remove_file(&path);
            let _ = fs::remove_file(signature_path(&path));
        }
    }
    Ok(())
}

/// A component that was kept, if it still is the one of that digest.
pub(super) fn component(state: &Path, digest: &str) -> Result<Vec<u8>, Error> {
    let path = component_path(state, digest);
    let bytes = file::read(&path)?;
    let found = keyhole_log::hash::sha256(&bytes);
    if found == digest {
        return Ok(bytes);
    }
    Err(Error::BadState { path, what: format!("it holds sha256:{found}, not what its name says") })
}

pub(super) fn component_path(state: &Path, digest: &str) -> PathBuf {
    folder(state).join(format!("{digest}.wasm"))
}

fn folder(state: &Path) -> PathBuf {
    state.join("strategies")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A policy may know a strategy by its signer alone, and then nothing else tells other bytes from these.
    #[test]
    fn a_kept_component_is_the_one_of_its_digest_or_none() {
        let state = tempfile::tempdir().unwrap();
        let digest = keyhole_log::hash::sha256(b"the one that was promoted");
        let path = component_path(state.path(), &digest);
        fs::create_dir_all(folder(state.path())).unwrap();
        fs::write(&path, b"the one that was promoted").unwrap();
        assert_eq!(component(state.path(), &digest).unwrap(), b"the one that was promoted");
        fs::write(&path, b"another").unwrap();
        let error = component(state.path(), &digest).unwrap_err();
        assert!(matches!(error, Error::BadState { .. }), "{error}");
    }
}
