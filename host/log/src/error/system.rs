//! What the system says of a failed file operation, in words that people understand: the one place that turns an
//! [`io::Error`] into text.

use std::io::{self, ErrorKind};
use std::path::Path;

/// The system's number of "too many open files in this process", and of the same in the whole system.
const TOO_MANY_OPEN: [i32; 2] = [24, 23];

/// Why an operation failed, without the system's number.
pub fn words(error: &io::Error) -> String {
    if error.raw_os_error().is_some_and(|number| TOO_MANY_OPEN.contains(&number)) {
        return "too many files are open".to_owned();
    }
    let known = match error.kind() {
        // Whoever made such an error gave it words of its own.
        _ if error.get_ref().is_some() => None,
        ErrorKind::NotFound => Some("it is not there"),
        ErrorKind::PermissionDenied => Some("the user that this runs as may not do that"),
        ErrorKind::AlreadyExists => Some("something of that name is there already"),
        ErrorKind::StorageFull => Some("the disk is full"),
        ErrorKind::QuotaExceeded => Some("this user may not store more on that disk"),
        ErrorKind::FileTooLarge => Some("the file would be larger than a file may be"),
        ErrorKind::ReadOnlyFilesystem => Some("that disk can only be read"),
        ErrorKind::IsADirectory => Some("it is a folder, not a file"),
        ErrorKind::NotADirectory => Some("a file is where the path has a folder"),
        ErrorKind::InvalidFilename => Some("a name in the path is too long, or holds what none may hold"),
        ErrorKind::ConnectionRefused => Some("nobody listens there"),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Some("the other end closed it"),
        ErrorKind::AddrInUse => Some("another process listens there"),
        ErrorKind::AddrNotAvailable => Some("this machine has no such address"),
        ErrorKind::TimedOut => Some("there was no answer in time"),
        ErrorKind::ResourceBusy => Some("it is in use"),
        ErrorKind::OutOfMemory => Some("there is not enough memory"),
        ErrorKind::UnexpectedEof => Some("it ends too early"),
        _ => None,
    };
    known.map_or_else(|| without_number(&error.to_string()), str::to_owned)
}

/// The same with the file that it happened to. Of a path that is not there it says how much of it is not.
pub(super) fn of_file(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    if error.kind() != ErrorKind::NotFound || error.get_ref().is_some() {
        return format!("{shown}: {}", words(error));
    }
    // The folder next to the part that is there; a bare name lies in the folder that this runs in, which is there.
    let folders = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    match folders.take_while(|folder| !folder.exists()).last() {
        Some(folder) => format!("there is no file {shown}: there is no folder {}", folder.display()),
        None => format!("there is no file {shown}"),
    }
}

/// What to do about it, where that is known.
pub(super) fn fix(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        _ if error.get_ref().is_some() => return None,
        ErrorKind::NotFound => {
            "check how it is spelled; a path that does not begin with / begins in the current folder"
        }
        ErrorKind::PermissionDenied => {
            "let this user in by its owner and mode, or run this as a user that may"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room there, or name another folder",
        ErrorKind::ReadOnlyFilesystem => "name a folder that can be written to",
        ErrorKind::IsADirectory => "name a file in it",
        ErrorKind::AddrInUse => "end that process, or name another port",
        ErrorKind::AddrNotAvailable => "name an address of this machine, such as 127.0.0.1",
        ErrorKind::ConnectionRefused => "see that the service runs, and where it listens",
        _ => return None,
    })
}

/// The text without the number that the standard library puts behind the system's words, wherever that stands.
fn without_number(text: &str) -> String {
    let mut rest = text;
    let mut said = String::new();
    while let Some((before, after)) = rest.split_once(" (os error ") {
        said += before;
        rest = match after.split_once(')') {
            Some((number, behind)) if number.parse::<i32>().is_ok() => behind,
            _ => after,
        };
    }
    said + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_of_the_system_shows_its_number() {
        for number in 1..134 {
            let said = words(&io::Error::from_raw_os_error(number));
            assert!(!said.contains("os error") && !said.is_empty(), "{number}: {said}");
            let wrapped = io::Error::other(format!("{} at path x", io::Error::from_raw_os_error(number)));
            let said = words(&wrapped);
            assert!(!said.contains("os error") && said.ends_with(" at path x"), "{number}: {said}");
        }
        assert_eq!(words(&io::Error::other("(os error x) (os error 7")), "(os error x)7");
    }

    #[test]
    fn a_path_that_is_not_there_says_how_much_of_it_is_not() {
        let absent = || io::Error::from(ErrorKind::NotFound);
        assert_eq!(of_file(Path::new("absent.wasm"), &absent()), "there is no file absent.wasm");
        assert_eq!(of_file(Path::new("/absent.wasm"), &absent()), "there is no file /absent.wasm");
        assert_eq!(
            of_file(Path::new("/absent/folder/x"), &absent()),
            "there is no file /absent/folder/x: there is no folder /absent"
        );
        let said = of_file(Path::new("x"), &io::Error::from(ErrorKind::StorageFull));
        assert_eq!(said, "x: the disk is full");
    }
}
