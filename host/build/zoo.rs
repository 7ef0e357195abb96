//! Builds the hostile strategies and lists their names: one component for each family, one source file
//! for each strategy; and those of a shape of their own, written in the text format.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::guests::Guests;

/// The families: package, folder, where its strategies' files lie.
const FAMILIES: [(&str, &str, &str); 1] = [("test-guests", "tests/guests", "tests/guests/src/behaviours")];

/// Where the strategies in the text format lie, one component each.
const TEXTS: &str = "tests/guests/wat";

/// Writes the components into `out`, and `zoo.rs`, which names and includes them.
pub(crate) fn build(root: &Path, guests: &Guests, out: &Path) -> Result<(), String> {
    let mut source = String::from("const FAMILIES: &[Family] = &[\n");
    for (package, folder, files) in FAMILIES {
        let component = out.join(format!("{package}.wasm"));
        super::write(&component, &guests.component(package, folder)?)?;
        let names = names(&root.join(files))?;
        // Writing to a String cannot fail.
        let _ = writeln!(
            source,
            "    Family {{ names: &{names:?}, component: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{package}.wasm\")) }},"
        );
    }
    source.push_str("];\n\nconst TEXTS: &[(&str, &[u8])] = &[\n");
    println!("cargo::rerun-if-changed=../{TEXTS}");
    for name in names(&root.join(TEXTS))? {
        let file = root.join(TEXTS).join(format!("{name}.wat"));
        let component = wat::parse_file(&file).map_err(|error| error.to_string())?;
        super::write(&out.join(format!("{name}.wasm")), &component)?;
        let _ =
            writeln!(source, "    ({name:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.wasm\"))),");
    }
    source.push_str("];\n");
    super::write(&out.join("zoo.rs"), source.as_bytes())
}

/// The strategies' names, sorted: their files', with hyphens.
fn names(folder: &Path) -> Result<Vec<String>, String> {
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
