//! Keys of the state folder: made once, each for one use, and what is authenticated with them.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use keyhole_log::error::Error;

/// Bytes of a key.
pub const SECRET: usize = 32;

/// The keys of the file `name`, the newest first; folder and file are made the first time.
///
/// A file may hold two keys, so that what was authenticated outlives a change of keys.
pub fn open(state: &Path, name: &str) -> Result<Vec<[u8; SECRET]>, Error> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state)
        .map_err(|source| Error::io(state, source))?;
    let path = state.join(name);
    if !path.exists() {
        make(&path)?;
    }
    let bytes = fs::read(&path).map_err(|source| Error::io(&path, source))?;
    let secrets: Vec<[u8; SECRET]> = bytes.chunks(SECRET).filter_map(|chunk| chunk.try_into().ok()).collect();
    if secrets.is_empty() || secrets.len() > 2 || secrets.len() * SECRET != bytes.len() {
        let what = format!("{} bytes instead of one or two keys of {SECRET}", bytes.len());
        return Err(Error::io(&path, std::io::Error::new(std::io::ErrorKind::InvalidData, what)));
    }
    Ok(secrets)
}

/// A code over what is fed to it, for one use: `purpose` ends in a NUL, so that none begins another.
pub fn mac(secret: &[u8; SECRET], purpose: &[u8]) -> Hmac<Sha256> {
    // HMAC pads a key with zeros to the hash's block.
    let mut block = [0; 64];
    for (place, byte) in block.iter_mut().zip(secret) {
        *place = *byte;
    }
    let mut mac = Hmac::<Sha256>::new((&block).into());
    mac.update(purpose);
    mac
}

/// Drafts of this process. Each thread writes its own: one that is linked into place must not be
/// written to afterwards.
static DRAFTS: AtomicU32 = AtomicU32::new(0);

/// Puts a new key in place, whole or not at all; another process may win the race.
fn make(path: &Path) -> Result<(), Error> {
    let mut secret = [0; SECRET];
    let random = Path::new("/dev/urandom");
    let source =
        fs::File::open(random).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut secret));
    source.map_err(|source| Error::io(random, source))?;
    let draft = path.with_extension(format!("new-{}-{}", std::process::id(), DRAFTS.fetch_add(1, Relaxed)));
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&secret)?;
        file.sync_all()?;
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    };
    let outcome = write().map_err(|source| Error::io(path, source));
    let _ = fs::remove_file(&draft);
    outcome
}
