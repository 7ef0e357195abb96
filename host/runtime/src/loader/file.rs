//! A component file, read once and whole: what is judged afterwards is the memory that it was read to.

use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use keyhole_log::error::Error;
use keyhole_log::limits::Compiling;

/// Reads a component file. A symbolic link as the last part of the path, anything but a regular file, a
/// file that is too large, and one that changes meanwhile are refused.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let refused = |reason: String| Error::Refused { path: path.to_owned(), reasons: vec![reason] };
    let io = |source| Error::io(path, source);
    // Not blocking: a fifo without a writer opens at once, to be refused.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mut file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::LOOP) if path.is_symlink() => {
            return Err(refused("it is a symbolic link: name the file that it leads to".to_owned()));
        }
        // What a socket answers to being opened.
        Err(Errno::NXIO) => return Err(refused("it is a socket, not a regular file".to_owned())),
        Err(error @ Errno::NOENT) => {
            return Err(Error::NoComponent { path: path.to_owned(), source: error.into() });
        }
        Err(error) => return Err(io(error.into())),
    };
    let before = file.metadata().map_err(io)?;
    if !before.is_file() {
        return Err(refused(format!("it is {}, not a regular file", kind(&before))));
    }
    let most = Compiling::default().component_bytes;
    let too_large = || refused(format!("it is larger than {} MiB", most >> 20));
    if before.len() > most {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    (&mut file).take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
    let after = file.metadata().map_err(io)?;
    if bytes.len() as u64 > most {
        return Err(too_large());
    }
    if bytes.len() as u64 != before.len() || stamp(&before) != stamp(&after) {
        return Err(refused("it was changed while it was read: write it aside and rename it".to_owned()));
    }
    Ok(bytes)
}

/// What changes when someone writes to a file. Its name and links are no concern: it is held open.
fn stamp(metadata: &Metadata) -> (u64, i64, i64) {
    (metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}

fn kind(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        "something else"
    }
}
