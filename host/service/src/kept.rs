//! What is active, as the state folder keeps it over a restart, with the components that may serve.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::loader::file;
use crate::policy::identity::signature_path;
use crate::service::serving::Serving;

/// The most that the file may hold: a few names and digests.
const MOST_BYTES: u64 = 64 << 10;

/// The version of the file's form.
const VERSION: u32 = 1;

/// What serves, and what served before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    version: u32,
    /// The strategy that serves; none where none does.
    pub(super) active: Option<Known>,
    /// Those that served before in good standing, the latest last.
    pub(super) good: Vec<Known>,
}

/// A strategy by name and digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Known {
    pub(super) name: String,
    /// SHA-256 of its component, in hex.
    pub(super) digest: String,
    /// Whether it was proven before it served.
    pub(super) proven: bool,
}

impl Known {
    /// What is to be known of this one.
    pub(super) fn of(serving: &Serving) -> Self {
        Self {
            name: serving.name.to_string(),
            digest: serving.digest.to_string(),
            proven: serving.proven.load(std::sync::atomic::Ordering::Relaxed),
        }
    }
}

impl Kept {
    /// What is to be kept of these.
    pub(super) fn of(active: Option<&Arc<Serving>>, good: &[Arc<Serving>]) -> Self {
        let name = |serving: &Arc<Serving>| Known::of(serving);
        Self { version: VERSION, active: active.map(name), good: good.iter().map(name).collect() }
    }

    /// What was kept; None at the first start. A file that is not whole is an error: what serves is never
    /// guessed.
    pub(super) fn read(state: &Path) -> Result<Option<Self>, Error> {
        let path = path(state);
        let bad = |what: String| Error::BadState { path: path.clone(), what };
        let mut text = String::new();
        let opened = File::options().read(true).custom_flags(no_links()).open(&path);
        match opened.and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => return Err(bad("it is not text".into())),
            Err(source) => return Err(Error::io(&path, source)),
            Ok(bytes) if bytes as u64 > MOST_BYTES => {
                return Err(bad(format!("it is larger than {MOST_BYTES} bytes")));
            }
            Ok(_) => {}
        }
        let kept: Self = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        if kept.version != VERSION {
            return Err(bad(format!("it is of version {}, and this program writes {VERSION}", kept.version)));
        }
        for name in kept.active.iter().chain(&kept.good) {
            let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            if name.digest.len() != 64 || !name.digest.bytes().all(digits) {
                return Err(bad(format!("the digest of {:?} is none", name.name)));
            }
        }
        Ok(Some(kept))
    }

    /// Puts it in place, whole or not at all: when this returns it is on disk.
    pub(super) fn write(&self, state: &Path) -> Result<(), Error> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| Error::Engine(error.to_string()))?;
        text.push(b'\n');
        replace(state, &path(state), &text)
    }
}

/// Keeps the components of these strategies, and no other's.
pub(super) fn keep_components(state: &Path, serving: &[Arc<Serving>]) -> Result<(), Error> {
    let folder = folder(state);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|source| Error::io(&folder, source))?;
    for serving in serving {
        let path = component_path(state, &serving.digest);
        if let Some(bytes) = &serving.bytes
            && !path.exists()
        {
            if let Some(signature) = &serving.signature {
                replace(&folder, &signature_path(&path), signature)?;
            }
            replace(&folder, &path, bytes)?;
        }
    }
    let entries = fs::read_dir(&folder).map_err(|source| Error::io(&folder, source))?;
    for entry in entries.flatten() {
        let path = entry.path();
        let kept = serving.iter().any(|serving| component_path(state, &serving.digest) == path);
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
    let found = crate::sha256(&bytes);
    if found == digest {
        return Ok(bytes);
    }
    Err(Error::BadState { path, what: format!("it holds sha256:{found}, not what its name says") })
}

/// Where it lies.
pub(super) fn path(state: &Path) -> PathBuf {
    state.join("serving.json")
}

fn folder(state: &Path) -> PathBuf {
    state.join("strategies")
}

pub(super) fn component_path(state: &Path, digest: &str) -> PathBuf {
    folder(state).join(format!("{digest}.wasm"))
}

fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::io(path, source);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    // Private to its owner, as the file that takes its name will be.
    let mut part = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    part.write_all(bytes).map_err(failed)?;
    part.as_file().sync_all().map_err(failed)?;
    part.persist(path).map_err(|error| Error::io(path, error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn no_links() -> i32 {
    (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::CLOEXEC).bits().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A policy may know a strategy by its signer alone, and then nothing else tells other bytes from these.
    #[test]
    fn a_kept_component_is_the_one_of_its_digest_or_none() {
        let state = tempfile::tempdir().unwrap();
        let digest = crate::sha256(b"the one that was promoted");
        let path = component_path(state.path(), &digest);
        fs::create_dir_all(folder(state.path())).unwrap();
        fs::write(&path, b"the one that was promoted").unwrap();
        assert_eq!(component(state.path(), &digest).unwrap(), b"the one that was promoted");
        fs::write(&path, b"another").unwrap();
        let error = component(state.path(), &digest).unwrap_err();
        assert!(matches!(error, Error::BadState { .. }), "{error}");
    }
}
