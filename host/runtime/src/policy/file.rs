//! Reading small files whole: a policy, a signature.

use std::io::Read;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use keyhole_log::error::Error;

/// Most bytes of a policy.
pub const MOST_BYTES: u64 = 1 << 20;

/// Reads a regular file of at most `most` bytes.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    // Without this flag, opening a FIFO would wait for whoever writes to it.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty())
        .map(std::fs::File::from)
        .map_err(|error| Error::io(path, error.into()))?;
    let odd = |what: String| Error::io(path, std::io::Error::new(std::io::ErrorKind::InvalidInput, what));
    if !file.metadata().map_err(|source| Error::io(path, source))?.is_file() {
        return Err(odd("it is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|source| Error::io(path, source))?;
    if bytes.len() as u64 > most {
        return Err(odd(format!("it is larger than {most} bytes")));
    }
    Ok(bytes)
}
