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
use crate::engine::Engine;
use crate::error::Error;
use crate::guards::{self, Guard};
use crate::secret::{self, SECRET};

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
    pub(super) fn of(engine: &Engine, digest: &[u8; 32]) -> Self {
        let mut hasher = DefaultHasher::new();
        engine.wasmtime().precompile_compatibility_hash().hash(&mut hasher);
        Self { digest: *digest, engine: hasher.finish() }
    }

    fn file(&self) -> String {
        format!("{}-{:016x}", crate::hex(&self.digest), self.engine)
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
        !guards::on(Guard::CodeMac)
            || self.secrets.iter().any(|secret| tag(secret, name, code).verify_slice(tagged).is_ok())
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
