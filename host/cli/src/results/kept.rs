//! A folder of results: all of them or none.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::target::absolute;
use super::{Kind, ResultFile, Rules};
use keyhole_lab::bench::{KeptFile, REPORT};
use keyhole_log::error::Error;

/// A folder that a benchmark's files are to go to. It is made, with those above it, when they are there.
#[derive(Debug)]
pub struct KeptFolder {
    /// The path, as it was named.
    named: PathBuf,
    /// Where it is or will be.
    folder: PathBuf,
    /// What its report is known by.
    report: Kind,
    /// Folders that were made for it, the outermost first: they go again if nothing is put into them.
    made: Vec<PathBuf>,
}

impl KeptFolder {
    /// A folder that files may be put into, as far as can be told before they are there.
    ///
    /// Errors: as [`ResultFile::open`], for the folder and for each of its files that such a file could replace.
    pub fn open(path: &Path, report: Kind, rules: &Rules) -> Result<Self, Error> {
        let folder = absolute(path)?;
        rules.protected.check_folder(path)?;
        let kept = Self { named: path.to_owned(), folder, report, made: Vec::new() };
        let there = kept.folder.ancestors().find(|path| path.symlink_metadata().is_ok());
        let there = there.unwrap_or(Path::new("/"));
        if !there.is_dir() {
            return Err(Error::io(there, std::io::ErrorKind::NotADirectory.into()));
        }
        access(there, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| Error::io(there, error.into()))?;
        if there == kept.folder {
            for entry in fs::read_dir(there).map_err(|source| Error::io(there, source))?.flatten() {
                if let Some(kind) = entry.file_name().to_str().and_then(|name| kept.kind(name)) {
                    ResultFile::open(&kept.named.join(entry.file_name()), kind, rules)?;
                }
            }
        }
        Ok(kept)
    }

    /// Whether a path lies in it.
    pub fn holds(&self, path: &Path) -> bool {
        absolute(path).is_ok_and(|path| path.starts_with(&self.folder))
    }

    /// The files as results that can be put in place.
    pub fn fill(&mut self, files: &[KeptFile], rules: &Rules) -> Result<Vec<ResultFile>, Error> {
        let missing: Vec<&Path> = self.folder.ancestors().take_while(|path| !path.exists()).collect();
        for folder in missing.into_iter().rev() {
            fs::create_dir(folder).map_err(|source| Error::io(folder, source))?;
            self.made.push(folder.to_owned());
        }
        let fill = |file: &KeptFile| {
            let (path, kind) = (self.named.join(&file.name), self.kind(&file.name).unwrap_or(self.report));
            let mut result = ResultFile::open(&path, kind, rules)?;
            result.write_all(&file.bytes).map_err(|source| Error::io(&path, source))?;
            Ok(result)
        };
        files.iter().map(fill).collect()
    }

    /// The kind of a file by its name; None for a file that no benchmark leaves.
    fn kind(&self, name: &str) -> Option<Kind> {
        match name.rsplit_once('.') {
            _ if name == REPORT => Some(self.report),
            Some((_, "hlog")) => Some(Kind::Intervals),
            Some((_, "hgrm")) => Some(Kind::Percentiles),
            _ => None,
        }
    }
}

impl Drop for KeptFolder {
    fn drop(&mut self) {
        for folder in self.made.iter().rev() {
            // One that holds something by now stays.
            let _ = fs::remove_dir(folder);
        }
    }
}
