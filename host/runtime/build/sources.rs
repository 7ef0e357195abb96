//! What the baseline was built from, as a manifest.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

const FILES: [&str; 7] = [
    "guest-baseline/Cargo.toml",
    "wit/diagnostics.wit",
    "wit/log.wit",
    "wit/paging.wit",
    "wit/payloads.wit",
    "wit/types.wit",
    "wit/world.wit",
];

/// One line for each source of the baseline and each WIT file of its world, in the format of
/// `sha256sum`: paths relative to the workspace at `root`, sorted.
pub(crate) fn manifest(root: &Path) -> io::Result<String> {
    let mut files: Vec<String> = FILES.map(String::from).into();
    add_folder(root, "guest-baseline/src", &mut files)?;
    files.sort();
    let mut manifest = String::new();
    for file in files {
        for byte in Sha256::digest(fs::read(root.join(&file))?) {
            let _ = write!(manifest, "{byte:02x}");
        }
        let _ = writeln!(manifest, "  {file}");
    }
    Ok(manifest)
}

fn add_folder(root: &Path, folder: &str, files: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            add_folder(root, &path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
