//! The one way in which a result gets into a file.
//!
//! A result is written to a temporary file in its target's folder and put in place when the run has succeeded:
//! synced, and renamed over what was there. A run that fails or is interrupted makes, empties and changes nothing. What
//! must not be written to, and what must not be replaced, is refused before the work begins, and looked at once more
//! when the result is put in place.

mod kept;
mod kind;
mod protected;
mod target;
#[cfg(test)]
mod tests;

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, Gid, OFlags, Uid, access, fchown, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use keyhole_log::error::Error;
use keyhole_log::interrupt;
use keyhole_log::temporary::TemporaryFile;

pub use kept::KeptFolder;
pub use kind::{GENERATOR, Kind};
pub use protected::Protected;
use target::{Found, Target};

/// Mode of a new result, less what the umask takes away.
const MODE: u32 = 0o666;

/// The bits of an existing file's mode that its successor gets.
const KEPT_MODE: u32 = 0o777;

/// How often it is looked whether a pipe has a reader.
const LOOK: Duration = Duration::from_millis(20);

/// Where the results of a run may go.
#[derive(Debug, Default)]
pub struct Rules {
    /// What must be left as it is.
    pub protected: Protected,
    /// Whether a file is replaced that is no result of the same kind.
    pub force: bool,
}

/// A result on its way into a file. Dropped, it leaves what was there.
#[derive(Debug)]
pub struct ResultFile {
    /// The path, as it was named.
    named: PathBuf,
    kind: Kind,
    /// Where it led when it was opened.
    target: Target,
    sink: Sink,
}

/// What a result is written to meanwhile.
#[derive(Debug)]
enum Sink {
    Draft(BufWriter<TemporaryFile>),
    /// A device, a pipe, or a descriptor of this process: what is written is written.
    Through(BufWriter<File>),
}

impl ResultFile {
    /// Opens a result that is to go to that path. A pipe is waited for until it has a reader.
    ///
    /// Errors: `not-written` where the run reads or keeps what lies there, or what lies there is no result of this
    /// kind; `io` where nothing can be made in its folder; `interrupted`.
    pub fn open(path: &Path, kind: Kind, rules: &Rules) -> Result<Self, Error> {
        let target = Target::of(path)?;
        check(path, kind, &target, rules)?;
        let sink = match &target.found {
            Found::Nothing | Found::File(_) => {
                Sink::Draft(BufWriter::new(TemporaryFile::new_in(target.folder(), MODE)?))
            }
            Found::Device => Sink::Through(BufWriter::new(device(path)?)),
            Found::Descriptor(number) => {
                Sink::Through(BufWriter::new(descriptor(*number).map_err(|source| Error::io(path, source))?))
            }
        };
        Ok(Self { named: path.to_owned(), kind, target, sink })
    }

    /// Whether a path leads to where this result goes.
    pub fn is_at(&self, path: &Path) -> bool {
        match (&self.sink, Target::of(path)) {
            (Sink::Draft(_), Ok(other)) => self.target.path == other.path || self.target.is_same_file(&other),
            _ => false,
        }
    }

    /// Whether it is standard output by another name.
    pub fn is_stdout(&self) -> bool {
        matches!(self.target.found, Found::Descriptor(1))
    }

    /// The path, as it was named.
    pub fn named(&self) -> &Path {
        &self.named
    }

    /// Everything but its name: all of it is with the system, and it may still go where it was to go.
    fn prepare(&mut self, rules: &Rules) -> Result<(), Error> {
        let failed = |source| Error::io(&self.named, source);
        let draft = match &mut self.sink {
            Sink::Through(file) => return file.flush().map_err(failed),
            Sink::Draft(draft) => draft,
        };
        if let Some(mark) = self.kind.mark() {
            draft.write_all(mark.as_bytes()).map_err(failed)?;
        }
        draft.flush().map_err(failed)?;
        let target = Target::of(&self.named)?;
        check(&self.named, self.kind, &target, rules)?;
        if target.path != self.target.path {
            return Err(Error::NotWritten {
                path: self.named.clone(),
                why: "it leads elsewhere now than when the run began".to_owned(),
                fix: "see who changes it, and run it again",
            });
        }
        if let Found::File(metadata) = &target.found {
            take_over(draft.get_ref().as_file(), metadata).map_err(failed)?;
        }
        draft.get_ref().as_file().sync_all().map_err(failed)?;
        self.target = target;
        Ok(())
    }

    /// Puts it in place.
    fn put(self) -> Result<(), Error> {
        let Sink::Draft(draft) = self.sink else { return Ok(()) };
        let draft = draft.into_inner().map_err(|error| Error::io(&self.named, error.into_error()))?;
        draft.put(&self.target.path, matches!(self.target.found, Found::File(_)))
    }
}

impl Write for ResultFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Draft(file) => file.write(bytes),
            Sink::Through(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Draft(file) => file.flush(),
            Sink::Through(file) => file.flush(),
        }
    }
}

/// Puts all results of a run in place: none before each could be.
pub fn commit(mut results: Vec<ResultFile>, rules: &Rules) -> Result<(), Error> {
    results.iter_mut().try_for_each(|result| result.prepare(rules))?;
    // The last moment at which nothing has happened yet.
    interrupt::check()?;
    results.into_iter().try_for_each(ResultFile::put)
}

/// Fails where a result of this kind must not go.
fn check(named: &Path, kind: Kind, target: &Target, rules: &Rules) -> Result<(), Error> {
    rules.protected.check(named, target)?;
    let Found::File(metadata) = &target.found else { return Ok(()) };
    // A file that says that it is not to be written to is not replaced behind its own back.
    access(&target.path, Access::WRITE_OK).map_err(|error| Error::io(named, error.into()))?;
    let refused = |why: String, fix| Error::NotWritten { path: named.to_owned(), why, fix };
    if kind == Kind::Source {
        return Err(refused("it exists already".to_owned(), "name another file, or edit that one"));
    }
    let is_of_kind = || File::open(&target.path).and_then(|mut file| kind.is_of(&mut file)).unwrap_or(false);
    if metadata.len() == 0 || rules.force || is_of_kind() {
        return Ok(());
    }
    let why = format!("it exists already, and is not {}", kind.words());
    Err(refused(why, "name another file, or replace that one with --force"))
}

/// Gives a file the mode of the one whose place it takes, and its owner where this user may do that.
fn take_over(file: &File, from: &Metadata) -> io::Result<()> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (from.uid(), from.gid()) {
        let (owner, group) = (Uid::from_raw(from.uid()), Gid::from_raw(from.gid()));
        match fchown(file, Some(owner), Some(group)) {
            // Then it is this user's from now on, as that of every program that renames.
            Err(Errno::PERM) | Ok(()) => {}
            Err(error) => return Err(error.into()),
        }
    }
    file.set_permissions(Permissions::from_mode(from.mode() & KEPT_MODE))
}

/// Opens a device or a pipe for writing. Ctrl-C ends the wait for a reader.
fn device(path: &Path) -> Result<File, Error> {
    loop {
        interrupt::check()?;
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        match OpenOptions::new().write(true).custom_flags(flags).open(path) {
            Ok(file) => {
                let flags = fcntl_getfl(&file).and_then(|flags| fcntl_setfl(&file, flags - OFlags::NONBLOCK));
                return flags.map(|()| file).map_err(|error| Error::io(path, error.into()));
            }
            Err(error) if is_pipe(path) && error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
                std::thread::sleep(LOOK);
            }
            Err(source) => return Err(Error::io(path, source)),
        }
    }
}

fn is_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// A descriptor of this process, to be written to from where it stands.
fn descriptor(number: u32) -> io::Result<File> {
    // Also a socket, which cannot be opened by its path.
    match number {
        1 => return io::stdout().as_fd().try_clone_to_owned().map(File::from),
        2 => return io::stderr().as_fd().try_clone_to_owned().map(File::from),
        _ => {}
    }
    let about = fs::read_to_string(format!("/proc/self/fdinfo/{number}"))?;
    let field = |name: &str| about.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let flags = field("flags:").and_then(|flags| u32::from_str_radix(flags, 8).ok()).unwrap_or_default();
    let flags = OFlags::from_bits_retain(flags);
    if !flags.intersects(OFlags::WRONLY | OFlags::RDWR) {
        return Err(Errno::BADF.into());
    }
    let append = flags.contains(OFlags::APPEND);
    let mut file = OpenOptions::new().write(true).append(append).open(format!("/proc/self/fd/{number}"))?;
    if let Some(position) = field("pos:").and_then(|position| position.parse().ok())
        && file.metadata()?.is_file()
        && !append
    {
        file.seek(SeekFrom::Start(position))?;
    }
    Ok(file)
}
