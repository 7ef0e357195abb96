//! Machine code kept from one start to the next, in the cache folder.
//!
//! An entry is executable: it is believed only if its code of authentication, under a key from the state
//! folder, holds over the very bytes that are then loaded, for the component and the engine that were
//! asked for. The folder may be deleted at any time, and a folder that cannot be written is no error.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::SystemTime;

use hmac::{Hmac, Mac};
use rustix::fs::{Mode, OFlags};
use sha2::Sha256;

use super::code::Code;
use crate::secret::{self, SECRET};
use keyhole_log::error::Error;

/// What an entry is authenticated for. The number moves with the rules of `examine`: code that was let
/// in under older ones is compiled, and so examined, anew.
const PURPOSE: &[u8] = b"keyhole code 1\0";

/// Bytes of an entry's code of authentication, which stands before the machine code.
const TAG: usize = 32;

/// Which code an entry holds: the component's digest and what the engine compiles for.
pub(super) struct Name {
    digest: [u8; 32],
    engine: u64,
}

impl Name {
    pub(super) fn of(engine: &wasmtime::Engine, digest: &[u8; 32]) -> Self {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Self { digest: *digest, engine: hasher.finish() }
    }

    fn file(&self) -> String {
        format!("{}-{:016x}", keyhole_log::hash::hex(&self.digest), self.engine)
    }
}

/// What the cache had.
pub(super) enum Found {
    /// No entry.
    Nothing,
    /// Code that was made here.
    Code(Code),
    /// An entry that was not, or that was changed. It is gone.
    Foreign,
}

/// The folder and its key.
pub(super) struct Cache {
    folder: PathBuf,
    secrets: Vec<[u8; SECRET]>,
    quota: u64,
}

impl Cache {
    pub(super) fn open(cache: &Path, state: &Path, quota: u64) -> Result<Self, Error> {
        let secrets = secret::open(state, "code.key")?;
        Ok(Self { folder: cache.join("code"), secrets, quota })
    }

    /// Looks for an entry.
    pub(super) fn get(&self, name: &Name) -> Found {
        let path = self.folder.join(name.file());
        let Some((file, mut entry)) = read(&path, self.quota) else { return Found::Nothing };
        if !self.authentic(name, &entry) {
            // Whoever put it there, the next start need not look at it again.
            let _ = fs::remove_file(&path);
            return Found::Foreign;
        }
        let _ = file.set_modified(SystemTime::now());
        entry.drain(..TAG.min(entry.len()));
        Found::Code(Code::authenticated(entry))
    }

    /// Keeps code, and makes room for it.
    pub(super) fn put(&self, name: &Name, code: &Code) {
        let Some(secret) = self.secrets.first() else { return };
        let size = (code.bytes().len() + TAG) as u64;
        if size > self.quota || DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).is_err() {
            return;
        }
        self.make_room(size);
        let tag = tag(secret, name, code.bytes()).finalize().into_bytes();
        let draft = self.folder.join(draft_name(name));
        let written = (|| {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(&tag)?;
            file.write_all(code.bytes())?;
            fs::rename(&draft, self.folder.join(name.file()))
        })();
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
    }

    fn authentic(&self, name: &Name, entry: &[u8]) -> bool {
        let Some((tagged, code)) = entry.split_at_checked(TAG) else { return false };
        self.secrets.iter().any(|secret| tag(secret, name, code).verify_slice(tagged).is_ok())
    }

    /// Removes what was not used for longest until `size` more bytes fit.
    fn make_room(&self, size: u64) {
        let Ok(folder) = fs::read_dir(&self.folder) else { return };
        let mut entries: Vec<(SystemTime, u64, PathBuf)> = folder
            .flatten()
            .filter_map(|entry| {
                let metadata = entry.metadata().ok()?;
                Some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect();
        entries.sort();
        let mut total: u64 = entries.iter().map(|(_, size, _)| size).sum();
        for (_, entry, path) in entries {
            if total.saturating_add(size) <= self.quota {
                return;
            }
            if fs::remove_file(path).is_ok() {
                total = total.saturating_sub(entry);
            }
        }
    }
}

/// Drafts of this process: two threads may keep the same code at once.
static DRAFTS: AtomicU32 = AtomicU32::new(0);

fn draft_name(name: &Name) -> String {
    format!("{}.{}-{}", name.file(), std::process::id(), DRAFTS.fetch_add(1, Relaxed))
}

fn tag(secret: &[u8; SECRET], name: &Name, code: &[u8]) -> Hmac<Sha256> {
    let mut mac = secret::mac(secret, PURPOSE);
    mac.update(env!("CARGO_PKG_VERSION").as_bytes());
    mac.update(b"\0");
    mac.update(&name.digest);
    mac.update(&name.engine.to_be_bytes());
    mac.update(code);
    mac
}

/// An entry's bytes; None where there is none that can be read.
fn read(path: &Path, most: u64) -> Option<(File, Vec<u8>)> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).ok()?);
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    (&file).take(most).read_to_end(&mut bytes).ok()?;
    Some((file, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &[u8] = &[7; 600];

    struct Place {
        folder: tempfile::TempDir,
        cache: Cache,
    }

    fn place(quota: u64) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&folder.path().join("cache"), &folder.path().join("state"), quota).unwrap();
        Place { folder, cache }
    }

    fn name(component: u8) -> Name {
        Name { digest: [component; 32], engine: 1 }
    }

    fn code(cache: &Cache, name: &Name) -> Option<Vec<u8>> {
        match cache.get(name) {
            Found::Code(code) => Some(code.bytes().to_vec()),
            Found::Nothing | Found::Foreign => None,
        }
    }

    #[test]
    fn what_is_kept_comes_back() {
        let Place { folder, cache } = place(10_000);
        cache.put(&name(1), &Code::authenticated(CODE.to_vec()));
        assert_eq!(code(&cache, &name(1)).unwrap(), CODE);
        let again = Cache::open(&folder.path().join("cache"), &folder.path().join("state"), 10_000).unwrap();
        assert_eq!(code(&again, &name(1)).unwrap(), CODE, "after a restart");
        assert!(matches!(cache.get(&name(2)), Found::Nothing));
    }

    #[test]
    fn an_entry_with_any_byte_changed_is_thrown_away() {
        let Place { cache, .. } = place(10_000);
        let file = cache.folder.join(name(1).file());
        for place in 0..CODE.len() + TAG {
            cache.put(&name(1), &Code::authenticated(CODE.to_vec()));
            let mut entry = fs::read(&file).unwrap();
            entry[place] ^= 1 << (place % 8);
            fs::write(&file, entry).unwrap();
            assert!(matches!(cache.get(&name(1)), Found::Foreign), "byte {place}");
            assert!(!file.exists(), "byte {place}");
        }
    }

    #[test]
    fn a_cut_or_grown_entry_is_thrown_away() {
        let Place { cache, .. } = place(10_000);
        let file = cache.folder.join(name(1).file());
        for length in (0..CODE.len() + TAG).chain([CODE.len() + TAG + 1]) {
            cache.put(&name(1), &Code::authenticated(CODE.to_vec()));
            File::options().write(true).open(&file).unwrap().set_len(length as u64).unwrap();
            assert!(matches!(cache.get(&name(1)), Found::Foreign), "length {length}");
        }
    }

    #[test]
    fn an_entry_of_another_component_engine_or_host_is_thrown_away() {
        let Place { folder, cache } = place(10_000);
        let other_engine = Name { engine: 2, ..name(1) };
        for foreign in [name(2), other_engine] {
            cache.put(&name(1), &Code::authenticated(CODE.to_vec()));
            fs::rename(cache.folder.join(name(1).file()), cache.folder.join(foreign.file())).unwrap();
            assert!(matches!(cache.get(&foreign), Found::Foreign));
        }
        let elsewhere =
            Cache::open(&folder.path().join("cache"), &folder.path().join("other"), 10_000).unwrap();
        elsewhere.put(&name(1), &Code::authenticated(CODE.to_vec()));
        assert!(matches!(cache.get(&name(1)), Found::Foreign));
    }

    #[test]
    fn an_entry_that_is_no_file_is_as_good_as_none() {
        let Place { folder, cache } = place(10_000);
        cache.put(&name(1), &Code::authenticated(CODE.to_vec()));
        let elsewhere = folder.path().join("elsewhere");
        fs::rename(cache.folder.join(name(1).file()), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, cache.folder.join(name(1).file())).unwrap();
        fs::create_dir(cache.folder.join(name(2).file())).unwrap();
        assert!(matches!(cache.get(&name(1)), Found::Nothing), "a link is not followed");
        assert!(matches!(cache.get(&name(2)), Found::Nothing));
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let Place { cache, .. } = place(2 * (CODE.len() + TAG) as u64);
        let at = |component: u8, age: u64| {
            let file = File::options().write(true).open(cache.folder.join(name(component).file())).unwrap();
            file.set_modified(SystemTime::now() - std::time::Duration::from_secs(age)).unwrap();
        };
        cache.put(&name(1), &Code::authenticated(CODE.to_vec()));
        cache.put(&name(2), &Code::authenticated(CODE.to_vec()));
        at(1, 1000);
        at(2, 500);
        assert!(code(&cache, &name(1)).is_some(), "which counts as use");
        cache.put(&name(3), &Code::authenticated(CODE.to_vec()));
        assert_eq!([1, 2, 3].map(|n| code(&cache, &name(n)).is_some()), [true, false, true]);
        cache.put(&name(4), &Code::authenticated(vec![0; 5000]));
        assert!(code(&cache, &name(4)).is_none(), "what is larger than the quota is not kept");
        assert_eq!([1, 3].map(|n| code(&cache, &name(n)).is_some()), [true, true]);
    }
}
