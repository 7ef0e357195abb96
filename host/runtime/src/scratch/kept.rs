//! What is kept in a cache folder: one folder for each scratch.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::scratch::about::ABOUT;
use crate::scratch::hold::{self, Claim};
use keyhole_log::error::Error;

pub use crate::scratch::about::About;

/// Digits of each of the two digests in a folder's name.
pub(super) const DIGITS: usize = 16;

/// One scratch that is kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its folder.
    pub folder: PathBuf,
    /// What it says of itself; the reason, where that cannot be read.
    pub about: Result<About, String>,
    /// Bytes of its files.
    pub bytes: u64,
    /// When it was last used.
    pub last_used: SystemTime,
    /// Whether a process has it open.
    pub in_use: bool,
}

impl Kept {
    /// Its folder's name.
    pub fn name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Removes it. False where somebody uses it: then nothing is touched.
    pub fn remove(&self) -> Result<bool, Error> {
        match Claim::take(&self.folder) {
            Some(claim) => claim.remove().map(|()| true),
            // Somebody else may have been faster.
            None => Ok(!self.folder.exists()),
        }
    }
}

/// Where the scratch of a cache folder lies.
pub fn root(cache: &Path) -> PathBuf {
    cache.join("scratch")
}

/// What is kept in a cache folder, the least recently used first.
pub fn list(cache: &Path) -> Result<Vec<Kept>, Error> {
    let folders = folders(&root(cache))?;
    let kept = folders.into_iter().map(|Folder { last_used, bytes, path }| Kept {
        about: About::read(&path),
        in_use: hold::is_used(&path),
        folder: path,
        bytes,
        last_used,
    });
    Ok(kept.collect())
}

/// A scratch's folder, as far as it takes to choose among them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Folder {
    pub(super) last_used: SystemTime,
    pub(super) bytes: u64,
    pub(super) path: PathBuf,
}

/// The folders below a root, the least recently used first. Whatever is no scratch's folder is passed over:
/// it is somebody else's.
pub(super) fn folders(root: &Path) -> Result<Vec<Folder>, Error> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(root, error)),
    };
    let mut folders: Vec<Folder> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_scratch))
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| measured(entry.path()))
        .collect();
    folders.sort();
    Ok(folders)
}

/// None where it is gone meanwhile, or has nothing in it.
fn measured(path: PathBuf) -> Option<Folder> {
    let (mut bytes, mut told, mut newest) = (0, None, SystemTime::UNIX_EPOCH);
    let mut is_empty = true;
    for entry in fs::read_dir(&path).ok()?.flatten() {
        is_empty = false;
        let Ok(metadata) = entry.metadata() else { continue };
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        bytes += metadata.len();
        newest = newest.max(modified);
        if entry.file_name() == ABOUT {
            told = Some(modified);
        }
    }
    // One that says nothing of itself was made by an older version, or is damaged.
    (!is_empty).then(|| Folder { last_used: told.unwrap_or(newest), bytes, path })
}

/// Whether a folder is named as those of scratch are.
fn is_scratch(name: &str) -> bool {
    let digits = |text: &str| text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.split_once('-').is_some_and(|(holder, log)| digits(holder) && digits(log))
}
