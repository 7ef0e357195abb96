//! Two users: whom the log belongs to, and who reads it. They are played by root; for anyone else there is nothing to
//! test.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::support::writer::{Conversation, Writer, whole_log};
use crate::support::{Place, SetOnDrop, binary, refused, stdout};

use super::{MODES, assert_left_alone, listing, patience, run};

const WRITER: u32 = 1001;
const READER: u32 = 65534;

/// A command of another user.
fn by(user: u32, program: &Path) -> Command {
    let user = user.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]).arg(program);
    command
}

/// A log of one user's, and another user who reads it.
struct Scene {
    place: Place,
    data: PathBuf,
    writer: Writer,
}

impl Scene {
    /// None where nobody but root could make it.
    fn new(mode: &str, folder_mode: u32) -> Option<Self> {
        let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
        // The one in PATH may be root's own.
        let python = Path::new("/usr/bin/python3");
        if !is_root || !python.exists() || Command::new("setpriv").arg("--version").output().is_err() {
            println!("skipped: two users need root, setpriv, and Python for everybody");
            return None;
        }
        let place = Place::new();
        let data = place.small_data(100);
        for path in [place.path(""), place.path("keyhole")] {
            if path.ends_with("keyhole") {
                std::fs::copy(binary(), &path).unwrap();
            }
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        for name in ["state", "cache"] {
            std::fs::create_dir_all(place.path(name)).unwrap();
            Command::new("chown").arg("-R").arg(READER.to_string()).arg(place.path(name)).status().unwrap();
        }
        for path in [data.clone(), data.join("audit.db"), data.join("payloads.jsonl")] {
            chown(&path, Some(WRITER), Some(WRITER)).unwrap();
        }
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(folder_mode)).unwrap();
        let mut writer = Writer::start_by(by(WRITER, python), &data);
        writer.tell(&format!("mode {mode}"));
        writer.append(8);
        Some(Self { place, data, writer })
    }

    /// The binary, run by the reader.
    fn keyhole(&self) -> Command {
        let mut command = by(READER, &self.place.path("keyhole"));
        command.env("KEYHOLE_STATE", self.place.path("state")).env("KEYHOLE_CACHE", self.place.path("cache"));
        command.env("KEYHOLE_POLICY", patience(&self.place)).current_dir("/");
        command
    }

    fn read(&self, strategy: &str) -> Output {
        self.keyhole().arg("--data").arg(&self.data).args(["--json", "page", strategy]).output().unwrap()
    }
}

/// The side files come and go while the reader opens them.
#[test]
fn no_file_of_the_readers_appears_where_the_writer_opens_and_closes_for_each_event() {
    let Some(mut scene) = Scene::new("wal", 0o777) else { return };
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (over, keyhole, data) = (&over, scene.keyhole(), scene.data.clone());
        scope.spawn(move || {
            let mut reader = Conversation::by(keyhole, &data, "native-baseline");
            while !over.load(SeqCst) {
                reader.ask(&whole_log(1, 20));
            }
            reader.end();
        });
        let _over = SetOnDrop(over);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(5) {
            scene.writer.append(1);
            scene.writer.tell("reopen");
            let files = std::fs::read_dir(&scene.data).unwrap();
            let anothers = files.filter_map(|file| {
                let file = file.unwrap();
                // It may be gone by now.
                file.metadata().ok().filter(|found| found.uid() != WRITER).map(|_| file.path())
            });
            assert_eq!(anothers.collect::<Vec<_>>(), Vec::<PathBuf>::new());
        }
    });
}

#[test]
fn a_reader_of_another_user_leaves_the_log_to_its_owner_in_every_mode() {
    for mode in MODES {
        // Once it may write into the folder, and once it may only read it.
        for folder_mode in [0o777, 0o755] {
            let Some(mut scene) = Scene::new(mode, folder_mode) else { return };
            for strategy in ["keyset", "native-baseline"] {
                let case = format!("{mode}, {folder_mode:o}, {strategy}");
                assert_left_alone(&scene.data, &format!("{case}, open"), || scene.read(strategy), 0);
                scene.writer.tell("close");
                assert_left_alone(&scene.data, &format!("{case}, closed"), || scene.read(strategy), 0);
                scene.writer.tell("reopen");
                let newest = scene.writer.append(8).iter().max().unwrap().id;
                assert!(stdout(&scene.read(strategy)).contains(&newest.to_string()), "{case}");
            }
        }
    }
}

#[test]
fn a_side_file_that_the_reader_may_not_read_is_named() {
    for file in ["audit.db-wal", "audit.db-shm"] {
        let Some(scene) = Scene::new("wal", 0o755) else { return };
        let path = scene.data.join(file);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let before = listing(&scene.data);
        let error = refused(&scene.read("keyset"), 2, "bad-log");
        assert_eq!(error["where"].as_str(), path.to_str(), "{error}");
        assert_eq!(listing(&scene.data), before);
    }
}

/// As root SQLite gives side files to the database's owner, and takes them away from whoever made them.
#[test]
fn root_does_not_take_a_side_file_from_its_owner() {
    let Some(scene) = Scene::new("wal", 0o777) else { return };
    for file in ["audit.db-wal", "audit.db-shm"] {
        chown(scene.data.join(file), Some(WRITER + 1), None).unwrap();
        let before = listing(&scene.data);
        let error = refused(&run(&scene.place, &scene.data, &["--json", "page", "keyset"]), 2, "bad-log");
        assert!(error["message"].as_str().unwrap().contains("belongs to user 1002"), "{error}");
        assert_eq!(listing(&scene.data), before);
    }
}
