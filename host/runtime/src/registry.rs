//! Which strategy answers under which name: those that the binary carries, and files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::embedded::{BASELINE, KEYSET};
use crate::engine::Engine;
use crate::loader::file::read;
use crate::policy::{Policy, StrategySection, identity, lines};
use crate::strategy::Strategy;
use keyhole_log::error::Error;
pub use keyhole_log::grants::BUILT_IN;
use keyhole_log::grants::Grants;

/// The strategies that a policy knows: built-in ones, its sections, and files.
#[derive(Clone, Copy)]
pub struct Registry<'a> {
    policy: &'a Policy,
}

/// What stands behind a name.
pub struct Found {
    /// The name that it serves under.
    pub name: String,
    /// Where it comes from.
    pub origin: PathBuf,
    /// The component; of a native twin, the one that it stands for.
    pub bytes: Vec<u8>,
    /// What it is granted.
    pub grants: Grants,
    /// Whether it is a native twin.
    pub native: bool,
}

impl<'a> Registry<'a> {
    /// The strategies of a policy.
    pub fn new(policy: &'a Policy) -> Self {
        Self { policy }
    }

    /// What stands behind a name or a path, let in or not, as bytes. None for a native twin.
    pub fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match (built_in(name), self.path(name)) {
            (Some((_, true)), _) => Ok(None),
            (Some((bytes, false)), _) => Ok(Some(bytes.to_vec())),
            (None, Some(path)) => read(&path).map(Some),
            (None, None) => Err(Error::NoSuchStrategy { name: name.to_owned() }),
        }
    }

    /// Where the component of that name lies, if in a file.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        if is_path(name) {
            return Some(PathBuf::from(name));
        }
        let file = self.policy.sections.get(name)?.file.as_ref()?;
        Some(self.policy.folder().join(file))
    }

    /// What stands behind a name or a path, if the policy lets it in. Its digest and its signature are
    /// those of the bytes that are returned.
    pub fn find(&self, name: &str) -> Result<Found, Error> {
        if let (Some((bytes, native)), Some(grants)) = (built_in(name), self.policy.built_in(name)) {
            let bytes = bytes.to_vec();
            return Ok(Found { name: name.to_owned(), origin: PathBuf::from(name), bytes, grants, native });
        }
        let Some(path) = self.path(name) else {
            return Err(Error::NoSuchStrategy { name: name.to_owned() });
        };
        let bytes = read(&path)?;
        let section = if is_path(name) {
            match self.policy.file {
                None => None,
                Some(_) => Some(lines::section_of(self.policy, &path, &bytes)?),
            }
        } else {
            self.policy.sections.get(name)
        };
        let Some(section) = section else {
            let grants = self.policy.local();
            return Ok(Found { name: name.to_owned(), origin: path, bytes, grants, native: false });
        };
        identity::check(section, &path, &bytes)?;
        lines::check_imports(section, &path, &bytes)?;
        let grants = section.grants.clone();
        Ok(Found { name: section.name.clone(), origin: path, bytes, grants, native: false })
    }

    /// The section that a name, or a file on the command line, belongs to.
    pub fn section(&self, name: &str, path: &Path, bytes: &[u8]) -> Option<&'a StrategySection> {
        if is_path(name) {
            self.policy.file.as_ref()?;
            return lines::section_of(self.policy, path, bytes).ok();
        }
        self.policy.sections.get(name)
    }

    /// The strategy of that name or path, compiled.
    pub fn strategy(&self, engine: &Engine, name: &str) -> Result<Arc<Strategy>, Error> {
        let found = self.find(name)?;
        match name {
            "native-baseline" => Ok(Strategy::native_baseline(name, BASELINE, found.grants)),
            "native-keyset" => Ok(Strategy::native_keyset(name, KEYSET, found.grants)),
            _ => Strategy::load(engine, &found.name, &found.origin, &found.bytes, found.grants),
        }
    }
}

/// What stands behind a name or a path where there is no policy, as bytes. None for a native twin.
pub fn bytes(name: &str) -> Result<Option<Vec<u8>>, Error> {
    Registry::new(&Policy::default()).bytes(name)
}

/// The strategy of that name or path, where there is no policy.
pub fn strategy(engine: &Engine, name: &str) -> Result<Arc<Strategy>, Error> {
    Registry::new(&Policy::default()).strategy(engine, name)
}

/// The component of a built-in strategy, and whether the strategy is its native twin.
fn built_in(name: &str) -> Option<(&'static [u8], bool)> {
    match name {
        "baseline" => Some((BASELINE, false)),
        "keyset" => Some((KEYSET, false)),
        "native-baseline" => Some((BASELINE, true)),
        "native-keyset" => Some((KEYSET, true)),
        _ => None,
    }
}

/// Whether a strategy is named by the path of its file.
pub fn is_path(name: &str) -> bool {
    name.contains('/') || Path::new(name).extension().is_some_and(|extension| extension == "wasm")
}
