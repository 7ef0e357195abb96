//! Builds the hostile strategies and lists their names: one component for each family, one source file
//! for each strategy; and those of a shape of their own, written in the text format: as components, or as
//! core modules that speak the component model's binary interface by hand and are wrapped here.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::guests::{Guests, write};

/// The families: package, folder, where its strategies' files lie.
const FAMILIES: [(&str, &str, &str); 2] = [
    ("test-guests", "tests/guests", "tests/guests/src/behaviours"),
    ("indexed-guests", "tests/guests/indexed", "tests/guests/indexed/src/behaviours"),
];

/// Where the strategies in the text format lie, one component each.
const TEXTS: &str = "tests/guests/wat";

/// Where the core modules in the text format lie, each of the world `strategy`.
const CORES: &str = "tests/guests/core";

/// Where those lie that import WASI, or what does not exist: core modules of a world of their own.
const IMPORTS: &str = "tests/guests/wasi";

/// Writes the components into `out`, and `zoo.rs`, which names and includes them.
pub(crate) fn build(root: &Path, guests: &Guests, out: &Path) -> Result<(), String> {
    let mut source = String::from("const FAMILIES: &[Family] = &[\n");
    for (package, folder, files) in FAMILIES {
        let component = out.join(format!("{package}.wasm"));
        write(&component, &guests.component(package, folder)?)?;
        let names = names(&root.join(files))?;
        // Writing to a String cannot fail.
        let _ = writeln!(
            source,
            "    Family {{ names: &{names:?}, component: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{package}.wasm\")) }},"
        );
    }
    source.push_str("];\n\nconst TEXTS: &[(&str, &[u8])] = &[\n");
    println!("cargo::rerun-if-changed=../../{TEXTS}");
    println!("cargo::rerun-if-changed=../../{CORES}");
    println!("cargo::rerun-if-changed=../../{IMPORTS}");
    for folder in [TEXTS, CORES, IMPORTS] {
        for name in names(&root.join(folder))? {
            let file = root.join(folder).join(format!("{name}.wat"));
            let mut component = wat::parse_file(&file).map_err(|error| error.to_string())?;
            if folder != TEXTS {
                component = wrap(root, folder, component).map_err(|error| format!("{name}: {error:#}"))?;
            }
            write(&out.join(format!("{name}.wasm")), &component)?;
            let _ = writeln!(
                source,
                "    ({name:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.wasm\"))),"
            );
        }
    }
    source.push_str("];\n");
    write(&out.join("zoo.rs"), source.as_bytes())
}

/// A core module as a component of the world `strategy`, or of the world of its folder. A component keeps
/// the imports that its module uses.
fn wrap(root: &Path, folder: &str, mut module: Vec<u8>) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root.join("wit"))?;
    let world = if folder == IMPORTS {
        let package = resolve.push_file(root.join(IMPORTS).join("world.wit"))?;
        resolve.select_world(&[package], None)?
    } else {
        resolve.select_world(&[package], Some("strategy"))?
    };
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    Ok(ComponentEncoder::default().validate(true).module(&module)?.encode()?)
}

/// The strategies' names, sorted: their files', with hyphens.
fn names(folder: &Path) -> Result<Vec<String>, String> {
    let failed = |error| format!("{}: {error}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "wit") {
            continue;
        }
        if let Some(name) = path.file_stem() {
            names.push(name.to_string_lossy().replace('_', "-"));
        }
    }
    names.sort();
    Ok(names)
}
