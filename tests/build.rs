//! Builds the strategies that are wrong on purpose: one component, written once for each behaviour
//! with the behaviour's name patched in.

#[path = "../host/build/guests.rs"]
mod guests;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// What stands before the name in the component. The other half of this is the guests' `name.rs`.
const MARKER: &[u8] = b"keyhole-test-guest:";
/// The length of marker, name and padding together.
const FIELD_LEN: usize = 64;

fn main() {
    if let Err(message) = build() {
        // Cargo shows these, and fails the build.
        for line in message.lines() {
            println!("cargo::error={line}");
        }
    }
}

fn build() -> Result<(), String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let tests = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo is not there")?);
    let root = tests.parent().ok_or("the workspace is not there")?;

    let component = guests::Guests::new(root)?.component("test-guests", "tests/guests")?;
    let field = field(&component)?;
    let names = behaviours(&tests.join("guests/src/behaviours"))?;
    for name in &names {
        let mut patched = component.clone();
        patched[field..field + FIELD_LEN].copy_from_slice(&spelled(name)?);
        write(&out.join(format!("{name}.wasm")), &patched)?;
    }
    write(&out.join("guests.rs"), format!("&{names:?}").as_bytes())
}

/// Where the field with the behaviour's name begins.
fn field(component: &[u8]) -> Result<usize, String> {
    let mut found =
        component.windows(MARKER.len()).enumerate().filter(|(_, bytes)| *bytes == MARKER).map(|(at, _)| at);
    match (found.next(), found.next()) {
        (Some(at), None) if at + FIELD_LEN <= component.len() => Ok(at),
        _ => Err("the marker does not stand in the test guests exactly once".into()),
    }
}

fn spelled(name: &str) -> Result<[u8; FIELD_LEN], String> {
    let mut field = [b'.'; FIELD_LEN];
    let text = [MARKER, name.as_bytes()].concat();
    match field.get_mut(..text.len()) {
        Some(start) => start.copy_from_slice(&text),
        None => return Err(format!("the behaviour's name is too long: {name}")),
    }
    Ok(field)
}

/// The names of the behaviours, sorted: their files', with hyphens.
fn behaviours(folder: &Path) -> Result<Vec<String>, String> {
    let failed = |error| format!("{}: {error}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if let Some(name) = path.file_stem() {
            names.push(name.to_string_lossy().replace('_', "-"));
        }
    }
    names.sort();
    Ok(names)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}
