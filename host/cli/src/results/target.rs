//! Where a path leads that a result is to go to: links are followed, whether or not there is a file at their end.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;

use keyhole_log::Identity;
use keyhole_log::error::Error;

/// Most links that are followed, as Linux has it.
const MOST_LINKS: usize = 40;

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Target {
    /// The place itself: absolute, without symbolic links.
    pub(super) path: PathBuf,
    /// What is there.
    pub(super) found: Found,
}

/// What is at a place.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing yet.
    Nothing,
    /// A file.
    File(Metadata),
    /// A character device, a pipe or a socket: it is written through.
    Device,
    /// A file descriptor of this process, which is written through, whatever it is.
    Descriptor(u32),
}

impl Target {
    /// Follows a path.
    ///
    /// Errors: `io` for a folder that is not there or may not be entered, a name that is too long, links in a
    /// circle; `not-written` for a folder and for a block device.
    pub(super) fn of(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::io(path, source);
        let mut at = path.to_owned();
        for _ in 0..MOST_LINKS {
            let name = match at.file_name() {
                Some(name) if !names_a_folder(&at) => name.to_owned(),
                _ => return Err(refused(path, "it is the name of a folder")),
            };
            let folder = parent(&at).canonicalize().map_err(failed)?;
            if let Some(number) = descriptor(&folder, &name.to_string_lossy()) {
                return Ok(Self { path: folder.join(name), found: Found::Descriptor(number) });
            }
            let place = folder.join(name);
            let metadata = match fs::symlink_metadata(&place) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok(Self { path: place, found: Found::Nothing });
                }
                other => other.map_err(failed)?,
            };
            // What lies behind a link of /proc is no path where it is a pipe.
            let behind = fs::metadata(&place).ok().map(|metadata| metadata.file_type());
            if behind.is_some_and(|is| is.is_char_device() || is.is_fifo() || is.is_socket()) {
                return Ok(Self { path: place, found: Found::Device });
            }
            if metadata.is_symlink() {
                at = folder.join(fs::read_link(&place).map_err(failed)?);
                continue;
            }
            return match metadata.file_type() {
                is if is.is_file() => Ok(Self { path: place, found: Found::File(metadata) }),
                is if is.is_dir() => Err(refused(path, "it is a folder")),
                _ => Err(refused(path, "it is a block device: what lies on it would be lost")),
            };
        }
        Err(failed(Errno::LOOP.into()))
    }

    /// Whether both lead to one file by two names.
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        match (&self.found, &other.found) {
            (Found::File(one), Found::File(other)) => {
                Identity::from_metadata(one) == Identity::from_metadata(other)
            }
            _ => false,
        }
    }

    /// The folder that it lies in.
    pub(super) fn folder(&self) -> &Path {
        parent(&self.path)
    }
}

/// Whether it says of itself that it is a folder, whatever is there.
fn names_a_folder(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    bytes.ends_with(b"/") || bytes.ends_with(b"/.")
}

fn refused(path: &Path, why: &str) -> Error {
    Error::NotWritten { path: path.to_owned(), why: why.to_owned(), fix: "name a file" }
}

/// The folder of a path, `.` where it names none.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The number of a file descriptor of this process, if that is what lies in this folder under this name: in
/// /proc/PID/fd or /proc/PID/task/TID/fd, which /dev/fd, /dev/stdout and /proc/self/fd lead to.
fn descriptor(folder: &Path, name: &str) -> Option<u32> {
    let own = std::process::id().to_string();
    let rest = folder.strip_prefix("/proc").ok()?.strip_prefix(&own).ok()?;
    let parts: Vec<_> = rest.components().map(Component::as_os_str).collect();
    let is_list = match parts.as_slice() {
        [fd] => *fd == "fd",
        [task, _, fd] => *task == "task" && *fd == "fd",
        _ => false,
    };
    is_list.then(|| name.parse().ok()).flatten()
}

/// A path as it would be without links, also where its end is not there yet: the longest part that is there is
/// followed, and the rest put behind it. `..` in that rest is no path at all.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Error> {
    let failed = |source| Error::io(path, source);
    let path = if path.is_absolute() {
        path.to_owned()
    } else {
        std::env::current_dir().map_err(failed)?.join(path)
    };
    let mut rest = Vec::new();
    let mut there = path.as_path();
    loop {
        match there.canonicalize() {
            Ok(there) => return Ok(rest.into_iter().rev().fold(there, |path, name| path.join(name))),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Err(error) => {
                let (Some(parent), Some(name)) = (there.parent(), there.file_name()) else {
                    return Err(failed(error));
                };
                rest.push(name.to_owned());
                there = parent;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_to_where_a_file_is_or_would_be() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        fs::create_dir(root.join("folder")).unwrap();
        symlink("folder", root.join("way")).unwrap();
        symlink("way/../folder/new", root.join("dangling")).unwrap();
        symlink("dangling", root.join("twice")).unwrap();
        for path in ["twice", "way/new", "folder/../way/./new"] {
            let target = Target::of(&root.join(path)).unwrap();
            assert_eq!(target.path, root.join("folder/new"), "{path}");
            assert!(matches!(target.found, Found::Nothing));
        }
        symlink("circle", root.join("circle")).unwrap();
        assert_eq!(Target::of(&root.join("circle")).unwrap_err().code(), "io");
        for folder in ["folder", "way", "new/", "folder/..", "way/."] {
            assert_eq!(Target::of(&root.join(folder)).unwrap_err().code(), "not-written", "{folder}");
        }
        assert_eq!(Target::of(&root.join("nowhere/new")).unwrap_err().code(), "io");
        assert_eq!(Target::of(&root.join("n".repeat(300))).unwrap_err().code(), "io");
    }

    #[test]
    fn devices_and_descriptors_are_told_from_files() {
        assert!(matches!(Target::of(Path::new("/dev/null")).unwrap().found, Found::Device));
        for path in ["/proc/self/fd/1", "/dev/fd/1", "/proc/thread-self/fd/1"] {
            let target = Target::of(Path::new(path)).unwrap();
            assert!(matches!(target.found, Found::Descriptor(1)), "{path}: {target:?}");
        }
    }

    #[test]
    fn a_path_is_absolute_also_where_its_end_is_not_there() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        symlink(".", root.join("way")).unwrap();
        assert_eq!(absolute(&root.join("way/way/new/newer")).unwrap(), root.join("new/newer"));
        assert!(absolute(&root.join("new/../newer")).is_err());
    }
}
