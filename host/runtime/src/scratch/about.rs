//! What a scratch says of itself, for whoever lists what is kept. Nothing is decided by it but which
//! scratch was not used for longest.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

use keyhole_log::quarantine::Summary;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

/// The file. When it was last changed is when the scratch was last used.
pub(super) const ABOUT: &str = "about.json";

/// Its format.
const FORMAT: u32 = 1;

/// The most that is read of one: a real one is far below.
const MOST_BYTES: u64 = 64 << 10;

/// Names that are kept: one component may be known by several.
const MOST_NAMES: usize = 16;

/// Whose a scratch is, of which log, and how much of it is covered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    format: u32,
    /// The names of the strategies that used it, the last one last.
    pub strategies: Vec<String>,
    /// The strategy's digest, in hex.
    pub digest: String,
    /// The log's database.
    pub log: String,
    /// How many events it covers.
    pub covered: u64,
    /// Those of them that have an odd cell.
    #[serde(default)]
    pub quarantine: Summary,
}

impl About {
    /// One that covers nothing yet.
    pub(super) fn new(strategy: &str, digest: &str, log: &Path) -> Self {
        Self {
            format: FORMAT,
            strategies: vec![strategy.to_owned()],
            digest: digest.to_owned(),
            log: log.display().to_string(),
            covered: 0,
            quarantine: Summary::default(),
        }
    }

    /// Reads what a folder says. The reason, where it cannot be read.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let said = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => {
                "it says nothing of itself: its strategy has not been asked lately".to_owned()
            }
            _ => format!("{ABOUT} cannot be read: {}", keyhole_log::error::words(&error)),
        };
        let file = File::options().read(true).custom_flags(flags).open(folder.join(ABOUT)).map_err(said)?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(said)?;
        let about: Self =
            serde_json::from_slice(&bytes).map_err(|error| format!("{ABOUT} is damaged: {error}"))?;
        if about.format != FORMAT {
            return Err(format!("{ABOUT} has format {}, and this program reads {FORMAT}", about.format));
        }
        Ok(about)
    }

    /// The same after what was there before: what else used it stays known.
    pub(super) fn after(mut self, before: &Self) -> Self {
        if before.digest != self.digest || before.log != self.log {
            return self;
        }
        if let Some(last) = self.strategies.pop() {
            let mut names = before.strategies.clone();
            // Who is known stays where they are: two that take turns do not write it anew each time.
            if !names.contains(&last) {
                names.drain(..names.len().saturating_sub(MOST_NAMES - 1));
                names.push(last);
            }
            self.strategies = names;
        }
        self.covered = before.covered;
        self.quarantine = before.quarantine.clone();
        self
    }

    /// Writes it whole, or leaves what was there.
    pub(super) fn write(&self, folder: &Path) -> std::io::Result<()> {
        let draft = folder.join("about.json.new");
        let written = File::create(&draft)
            .and_then(|mut file| file.write_all(&serde_json::to_vec(self)?))
            .and_then(|()| fs::rename(&draft, folder.join(ABOUT)));
        written.inspect_err(|_| {
            let _ = fs::remove_file(&draft);
        })
    }
}

/// Has it used now.
pub(super) fn touch(folder: &Path) -> std::io::Result<()> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(folder.join(ABOUT))?;
    file.set_modified(SystemTime::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(strategy: &str) -> About {
        About::new(strategy, "0123", Path::new("/log/audit.db"))
    }

    #[test]
    fn a_component_that_is_known_by_several_names_keeps_them() {
        let mut known = About { covered: 7, ..about("one") };
        for name in ["two", "one", "two"] {
            known = about(name).after(&known);
        }
        assert_eq!((known.strategies.join(" "), known.covered), ("one two".to_owned(), 7));
        for number in 0..100 {
            known = about(&number.to_string()).after(&known);
        }
        assert_eq!((known.strategies.len(), known.strategies.last().unwrap().as_str()), (MOST_NAMES, "99"));
        let other = About { digest: "4567".to_owned(), ..about("one") };
        assert_eq!(other.clone().after(&known), other, "nothing is taken over from another strategy");
    }
}
