//! What no result is ever written to: all that the run reads or keeps, by whatever path it is named.
//!
//! A file is known by its device and inode, so that a hard link, a symbolic link, a relative path and a second mount
//! of it are all the same. A folder of the log, the state or the cache takes no result at all: what is not there yet, a
//! journal say, would be met under its name.

use std::fs::{self, Metadata};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, fstat};

use super::target::{Found, Target, absolute};
use crate::args::Common;
use keyhole_log::Identity;
use keyhole_log::error::Error;
use keyhole_log::folder::FILES;
use keyhole_runtime::policy::Policy;
use keyhole_runtime::policy::identity::signature_path;

/// What an operator can do.
const FIX: &str =
    "name another file: what the run reads or keeps is never written to, not with --force either";

/// What a run must leave as it is.
#[derive(Debug, Default)]
pub struct Protected {
    files: Vec<ProtectedFile>,
    folders: Vec<ProtectedFolder>,
}

/// A file, and what it is to the run.
#[derive(Debug)]
struct ProtectedFile {
    what: String,
    place: Place,
}

/// Where a file is: looked at anew for each result, as it may have come meanwhile.
#[derive(Debug)]
enum Place {
    At(PathBuf),
    Open(Identity),
}

/// A folder.
#[derive(Debug)]
struct ProtectedFolder {
    what: &'static str,
    path: PathBuf,
    /// Whether all that lies in it is Keyhole's own, and is known by device and inode, too.
    is_own: bool,
}

impl Protected {
    /// What a run reads or keeps that has these options and reads these files besides, `-` for standard input.
    pub fn of(common: &Common, reads: &[PathBuf]) -> Self {
        let mut protected = Self::default();
        protected.log(&common.data);
        protected.own_folders(common);
        // `policy new` makes the one that is named, if it is not there.
        if let Some(policy) = common.policy.as_ref().filter(|path| path.symlink_metadata().is_ok()) {
            protected.file("the policy", policy);
        }
        if let Ok(policy) = Policy::load(common.policy.as_deref()) {
            for section in policy.sections.values() {
                if let Some(file) = &section.file {
                    protected.component(&policy.folder().join(file));
                }
            }
        }
        for path in reads {
            if path.as_os_str() == "-" {
                let what = "standard input, which this run reads".to_owned();
                let place = regular(std::io::stdin()).map(Place::Open);
                protected.files.extend(place.map(|place| ProtectedFile { what, place }));
            } else {
                protected.component(path);
            }
        }
        protected
    }

    /// The log in a folder: its files, by whatever name, and the folder.
    pub fn log(&mut self, folder: &Path) {
        for name in FILES {
            self.file(&format!("{name} of the log"), &folder.join(name));
        }
        self.folders.push(ProtectedFolder { what: "the log", path: folder.to_owned(), is_own: false });
    }

    /// Fails where a new log, a socket or whatever else would lie in a folder of Keyhole's own.
    pub fn check_new(common: &Common, path: &Path) -> Result<(), Error> {
        let mut own = Self::default();
        own.own_folders(common);
        own.check_folder(path)
    }

    fn own_folders(&mut self, common: &Common) {
        for (what, path) in [("the state", common.state_folder()), ("the cache", common.cache_folder())] {
            // A verb that needs a folder that nobody named says so itself.
            self.folders.extend(path.ok().map(|path| ProtectedFolder { what, path, is_own: true }));
        }
    }

    fn file(&mut self, what: &str, path: &Path) {
        self.files.push(ProtectedFile { what: what.to_owned(), place: Place::At(path.to_owned()) });
    }

    /// A file that the run reads, and the signature that may lie beside it.
    fn component(&mut self, path: &Path) {
        let what = format!("{}, which this run reads", path.display());
        self.file(&what, path);
        self.file(&what, &signature_path(path));
    }

    /// Fails where a result must not go.
    pub(super) fn check(&self, named: &Path, target: &Target) -> Result<(), Error> {
        let identity = match &target.found {
            Found::File(metadata) => Some(Identity::from_metadata(metadata)),
            Found::Descriptor(_) => fs::metadata(&target.path).ok().as_ref().and_then(identity_of_file),
            Found::Nothing | Found::Device => None,
        };
        self.check_identity(named, identity)?;
        if matches!(target.found, Found::Device | Found::Descriptor(_)) {
            return Ok(());
        }
        if let Some(file) = self.files.iter().find(|file| file.is_at(&target.path)) {
            return Err(refused(named, format!("it is {}", file.what)));
        }
        self.check_below(named, target.folder())
    }

    /// Fails where a stream of this process is a file that must not be written to, before anything is.
    pub fn check_stream(&self, name: &str, stream: impl AsFd) -> Result<(), Error> {
        self.check_identity(Path::new(name), regular(stream))
    }

    /// Fails where a folder, which may not be there yet, is or lies in one that takes no result.
    pub fn check_folder(&self, named: &Path) -> Result<(), Error> {
        let path = absolute(named)?;
        self.check_below(named, &path)
    }

    fn check_identity(&self, named: &Path, identity: Option<Identity>) -> Result<(), Error> {
        let Some(sought) = identity else { return Ok(()) };
        if let Some(file) = self.files.iter().find(|file| file.identity() == Some(sought)) {
            return Err(refused(named, format!("it is {}", file.what)));
        }
        for folder in self.folders.iter().filter(|folder| folder.is_own) {
            if let Some(path) = find(&folder.path, &|metadata| identity_of_file(metadata) == Some(sought)) {
                let what = format!("it is {}, a file of {}", path.display(), folder.what);
                return Err(refused(named, what));
            }
        }
        Ok(())
    }

    /// Fails where `folder`, or one above it, takes no result.
    fn check_below(&self, named: &Path, folder: &Path) -> Result<(), Error> {
        let above: Vec<Identity> = folder.ancestors().filter_map(|path| Identity::of(path).ok()).collect();
        for protected in &self.folders {
            let lies_in = || refused(named, format!("it lies in the folder of {}", protected.what));
            if absolute(&protected.path).is_ok_and(|path| folder.starts_with(path)) {
                return Err(lies_in());
            }
            if Identity::of(&protected.path).is_ok_and(|identity| above.contains(&identity)) {
                return Err(lies_in());
            }
            let is_above =
                |metadata: &Metadata| metadata.is_dir() && above.contains(&Identity::from_metadata(metadata));
            if protected.is_own && find(&protected.path, &is_above).is_some() {
                return Err(lies_in());
            }
        }
        Ok(())
    }
}

impl ProtectedFile {
    fn identity(&self) -> Option<Identity> {
        match &self.place {
            Place::Open(identity) => Some(*identity),
            Place::At(path) => fs::metadata(path).ok().as_ref().and_then(identity_of_file),
        }
    }

    /// Whether it lies at that absolute path, or would.
    fn is_at(&self, place: &Path) -> bool {
        matches!(&self.place, Place::At(path) if absolute(path).is_ok_and(|path| path == place))
    }
}

/// Which file a stream is, if it is one: a terminal, a pipe or /dev/null is not anybody's.
fn regular(stream: impl AsFd) -> Option<Identity> {
    let stat = fstat(stream).ok()?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    is_file.then_some(Identity { device: stat.st_dev, inode: stat.st_ino })
}

fn identity_of_file(metadata: &Metadata) -> Option<Identity> {
    metadata.is_file().then(|| Identity::from_metadata(metadata))
}

/// The first entry below a folder that is sought. What cannot be read is passed: it cannot be written to either.
fn find(folder: &Path, is_sought: &dyn Fn(&Metadata) -> bool) -> Option<PathBuf> {
    for entry in folder.read_dir().ok()?.flatten() {
        let (path, Ok(metadata)) = (entry.path(), entry.metadata()) else { continue };
        if is_sought(&metadata) {
            return Some(path);
        }
        if metadata.is_dir()
            && let Some(found) = find(&path, is_sought)
        {
            return Some(found);
        }
    }
    None
}

fn refused(named: &Path, why: String) -> Error {
    Error::NotWritten { path: named.to_owned(), why, fix: FIX }
}
