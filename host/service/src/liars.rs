//! Proven liars: components that served a page which the reference says is wrong. The state folder keeps them, so that
//! no rest, restart or other name brings one back; an operator alone clears one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::state_file::{is_digest, read, replace};
use crate::status::{Failure, Liar};
use keyhole_log::error::Error;

/// The file in the state folder.
const FILE: &str = "liars.json";

/// The version of the file's form.
const VERSION: u32 = 1;

/// The most that the file may hold: some thousand liars.
const MOST_BYTES: u64 = 4 << 20;

/// Characters that are kept of what a liar served.
const MOST_WORDS: usize = 300;

/// Digits of a digest that tell one liar from another.
const FEWEST_DIGITS: usize = 8;

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u32,
    liars: Vec<Liar>,
}

/// Every proven liar that the state folder knows.
pub(super) struct Liars {
    state: PathBuf,
    known: Mutex<Known>,
}

struct Known {
    by_digest: BTreeMap<String, Liar>,
    /// Whether the file says something else.
    unwritten: bool,
}

impl Liars {
    /// Reads the file; nobody is known where there is none. A file that is not whole is an error: a liar that it held
    /// would come back.
    pub(super) fn open(state: &Path) -> Result<Self, Error> {
        let path = state.join(FILE);
        let bad = |what: String| Error::BadState { path: path.clone(), what };
        let mut by_digest = BTreeMap::new();
        if let Some(text) = read(&path, MOST_BYTES)? {
            let kept: Kept = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
            if kept.version != VERSION {
                return Err(bad(format!(
                    "it is of version {}, and this program writes {VERSION}",
                    kept.version
                )));
            }
            for liar in kept.liars {
                if !is_digest(&liar.digest) {
                    return Err(bad(format!("the digest of {:?} is none", liar.name)));
                }
                by_digest.insert(liar.digest.clone(), liar);
            }
        }
        Ok(Self { state: state.to_owned(), known: Mutex::new(Known { by_digest, unwritten: false }) })
    }

    /// Fails where a component is a proven liar's, whatever its name.
    pub(super) fn check(&self, name: &str, digest: &str) -> Result<(), Error> {
        match self.known.lock().by_digest.get(digest) {
            None => Ok(()),
            Some(liar) => Err(Error::ProvenLiar {
                name: name.to_owned(),
                digest: digest.to_owned(),
                why: format!("{} at {}: {}", liar.kind, liar.at, liar.message),
            }),
        }
    }

    /// Knows a liar from now on. False where it is known already.
    pub(super) fn remember(&self, name: &str, digest: &str, failure: &Failure) -> bool {
        let liar = Liar {
            name: name.to_owned(),
            digest: digest.to_owned(),
            at: format!("{:.0}", jiff::Timestamp::now()),
            kind: failure.kind.chars().take(MOST_WORDS).collect(),
            message: failure.message.chars().take(MOST_WORDS).collect(),
        };
        let mut known = self.known.lock();
        if known.by_digest.contains_key(digest) {
            return false;
        }
        known.by_digest.insert(digest.to_owned(), liar);
        known.unwritten = true;
        true
    }

    /// Forgets the one liar whose digest begins so, which an operator has to know, and returns it.
    pub(super) fn forget(&self, digest: &str) -> Result<Liar, Error> {
        let unknown = || Error::NoSuchLiar { digest: digest.to_owned() };
        let digits = digest.strip_prefix("sha256:").unwrap_or(digest);
        if digits.len() < FEWEST_DIGITS {
            return Err(unknown());
        }
        let mut known = self.known.lock();
        let mut fitting = known.by_digest.keys().filter(|whole| whole.starts_with(digits));
        let (Some(one), None) = (fitting.next().cloned(), fitting.next()) else { return Err(unknown()) };
        let liar = known.by_digest.remove(&one).ok_or_else(unknown)?;
        known.unwritten = true;
        Ok(liar)
    }

    /// Knows a liar again whose pardon could not be written down.
    pub(super) fn put_back(&self, liar: Liar) {
        self.known.lock().by_digest.insert(liar.digest.clone(), liar);
    }

    /// All of them, by digest.
    pub(super) fn all(&self) -> Vec<Liar> {
        self.known.lock().by_digest.values().cloned().collect()
    }

    /// Has the file say what is known, where it does not yet. When this returns it is on disk.
    pub(super) fn write(&self) -> Result<(), Error> {
        let mut known = self.known.lock();
        if !known.unwritten {
            return Ok(());
        }
        let path = self.state.join(FILE);
        let liars = known.by_digest.values().cloned().collect();
        let text = serde_json::to_vec_pretty(&Kept { version: VERSION, liars });
        let mut text = text.map_err(|error| Error::Engine(error.to_string()))?;
        text.push(b'\n');
        if text.len() as u64 > MOST_BYTES {
            let what =
                format!("it would be larger than {MOST_BYTES} bytes: pardon those whose files are gone");
            return Err(Error::BadState { path, what });
        }
        replace(&self.state, &path, &text)?;
        known.unwritten = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Stage;

    fn failure() -> Failure {
        Failure::new(Stage::Active, "lie:stale-page".to_owned(), "x".repeat(2 * MOST_WORDS))
    }

    #[test]
    fn a_liar_is_known_over_a_restart_until_it_is_pardoned() {
        let state = tempfile::tempdir().unwrap();
        let (one, other) = ("a".repeat(64), format!("{}b", "a".repeat(63)));
        let liars = Liars::open(state.path()).unwrap();
        assert!(liars.remember("one", &one, &failure()) && liars.remember("other", &other, &failure()));
        assert!(!liars.remember("another name", &one, &failure()), "it is known");
        liars.write().unwrap();
        let liars = Liars::open(state.path()).unwrap();
        let error = liars.check("another name", &one).unwrap_err();
        assert_eq!((error.code(), error.exit_code()), ("proven-liar", 1), "{error}");
        liars.check("one", &"c".repeat(64)).unwrap();
        // Both begin so; nobody does; too short to be meant.
        for digits in ["aaaaaaaa", "cccccccc", "aaaa", ""] {
            let error = liars.forget(digits).unwrap_err();
            assert_eq!((error.code(), error.exit_code()), ("no-such-strategy", 2), "{error}");
        }
        assert_eq!(liars.forget(&format!("sha256:{one}")).unwrap().name, "one");
        liars.write().unwrap();
        let liars = Liars::open(state.path()).unwrap();
        liars.check("one", &one).unwrap();
        assert_eq!(liars.check("other", &other).unwrap_err().code(), "proven-liar");
    }

    #[test]
    fn a_file_that_is_not_whole_is_an_error_wherever_it_was_cut() {
        let state = tempfile::tempdir().unwrap();
        let liars = Liars::open(state.path()).unwrap();
        liars.remember("one", &"a".repeat(64), &failure());
        liars.write().unwrap();
        let path = state.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() - 2 {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(matches!(Liars::open(state.path()), Err(Error::BadState { .. })), "{cut}");
        }
    }
}
