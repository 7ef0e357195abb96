//! The file that a strategy comes in: it is opened once, and what is judged is what was read.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use keyhole_log::error::Error;
use keyhole_runtime::loader::file::read;

use super::honest;
use crate::support::{Place, code, stderr, stdout};

fn reason(path: &Path) -> String {
    match read(path) {
        Err(Error::Refused { reasons, .. }) => reasons.join("; "),
        other => panic!("{}: {other:?}", path.display()),
    }
}

#[test]
fn what_is_no_regular_file_is_refused_by_name() {
    let place = Place::new();
    let file = place.path("good.wasm");
    std::fs::write(&file, honest()).unwrap();
    let link = place.path("link.wasm");
    symlink(&file, &link).unwrap();
    let fifo = place.path("fifo.wasm");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let folder = place.path("folder.wasm");
    std::fs::create_dir(&folder).unwrap();
    let socket = place.path("socket.wasm");
    let _listener = UnixListener::bind(&socket).unwrap();
    let data = place.small_data(50);
    for (path, why) in [
        (&link, "a symbolic link"),
        (&fifo, "a named pipe, not a regular file"),
        (&folder, "a directory, not a regular file"),
        (&socket, "a socket, not a regular file"),
        (&"/dev/zero".into(), "a device, not a regular file"),
    ] {
        assert!(reason(path).contains(why), "{}", reason(path));
        let ran = place.run(&data, &["page", path.to_str().unwrap(), "--json"]);
        assert_eq!((code(&ran), stdout(&ran)), (1, String::new()));
        assert!(stderr(&ran).contains(why) && stderr(&ran).contains("\"refused\""), "{}", stderr(&ran));
    }
    assert_eq!(read(&file).unwrap(), honest());
    // A folder on the way may be a link: only the file itself must not.
    symlink(file.parent().unwrap(), place.path("here")).unwrap();
    assert_eq!(read(&place.path("here").join("good.wasm")).unwrap(), honest());
}

#[test]
fn a_file_that_is_too_large_is_refused_unread() {
    let place = Place::new();
    let path = place.path("large.wasm");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len((64 << 20) + 1).unwrap();
    assert!(reason(&path).contains("larger than 64 MiB"));
    file.set_len(10 << 40).unwrap();
    assert!(reason(&path).contains("larger than 64 MiB"));
}

#[test]
fn a_file_swapped_while_it_is_read_is_one_or_the_other() {
    let place = Place::new();
    let path = place.path("swapped.wasm");
    let (one, other) = (vec![1; 300_000], vec![2; 500_000]);
    std::fs::write(&path, &one).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let aside = place.path("aside");
            while !stop.load(Ordering::Relaxed) {
                for bytes in [&other, &one] {
                    std::fs::write(&aside, bytes).unwrap();
                    std::fs::rename(&aside, &path).unwrap();
                }
            }
        });
        let mut seen = [0; 2];
        for _ in 0..300 {
            let bytes = read(&path).unwrap();
            seen[usize::from(bytes == other)] += 1;
            assert!(bytes == one || bytes == other, "a mixture of {} bytes", bytes.len());
        }
        stop.store(true, Ordering::Relaxed);
        println!("swapped: {seen:?}");
    });
}

#[test]
fn a_file_that_is_written_to_while_it_is_read_is_refused_or_whole() {
    let place = Place::new();
    let path = place.path("growing.wasm");
    let whole = vec![1; 400_000];
    std::fs::write(&path, &whole).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let file = std::fs::File::options().write(true).open(&path).unwrap();
                file.set_len(1000).unwrap();
                file.set_len(400_000).unwrap();
            }
        });
        for _ in 0..300 {
            match read(&path) {
                Ok(bytes) => assert!([1000, 400_000].contains(&bytes.len())),
                Err(Error::Refused { reasons, .. }) => {
                    assert!(reasons[0].contains("changed while it was read"));
                }
                Err(error) => panic!("{error}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}
