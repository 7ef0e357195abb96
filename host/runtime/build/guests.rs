//! Builds a strategy of this workspace and turns it into a component.
//!
//! Shared by the build scripts of `host` and `tests/boundary`. The bytes depend on the sources, `Cargo.lock`
//! and the compiler alone: a rebuild elsewhere gives the same digest.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wit_component::ComponentEncoder;

const TARGET: &str = "wasm32-unknown-unknown";
const HOW_TO_ADD: &str = "run `rustup target add wasm32-unknown-unknown`, \
     or install the Rust standard library for wasm32-unknown-unknown with your system's packages";

/// The shadow stack of an instance. It makes most of a small instance's memory, which is why it is
/// not the compiler's 1 MiB. JSON of the deepest nesting that a strategy decodes fits.
const STACK_BYTES: u32 = 128 * 1024;

/// What a nested cargo still needs to know: where tools and crates are and how they are reached.
/// Every other variable of cargo's describes the outer build, or would change the result.
const KEPT: [&str; 6] =
    ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_", "CARGO_REGISTRY_", "CARGO_SOURCE_"];
const CLEARED: [&str; 8] =
    ["CARGO_", "CLIPPY_", "MAKEFLAGS", "MFLAGS", "RUSTC_", "RUSTDOC", "RUSTFLAGS", "TARGET"];

/// What a build script ends with: cargo shows the lines of an error, and fails the build.
pub(crate) fn report(outcome: Result<(), String>) {
    for line in outcome.err().iter().flat_map(|message| message.lines()) {
        println!("cargo::error={line}");
    }
}

/// Writes a file whole; the error names it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

/// A workspace whose strategies are built.
pub(crate) struct Guests {
    root: PathBuf,
    target_dir: PathBuf,
    rustc: OsString,
    flags: String,
}

impl Guests {
    /// Gets ready to build strategies of the workspace at `root`, an absolute path. Adds the wasm target
    /// where it is missing.
    pub(crate) fn new(root: &Path) -> Result<Self, String> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        add_target(&rustc)?;
        for watched in ["Cargo.lock", "Cargo.toml", "rust-toolchain.toml", "wit"] {
            println!("cargo::rerun-if-changed={}", root.join(watched).display());
        }
        Ok(Self { root: root.to_owned(), target_dir: target_dir()?, flags: flags(root, &rustc)?, rustc })
    }

    /// Builds the strategy `package`, whose crate lies in `folder` of the workspace, and returns it
    /// as a component. The error of a strategy that does not compile is what the compiler said.
    pub(crate) fn component(&self, package: &str, folder: &str) -> Result<Vec<u8>, String> {
        println!("cargo::rerun-if-changed={}", self.root.join(folder).display());
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .current_dir(&self.root)
            .args(["rustc", "--quiet", "--locked", "--package", package])
            .args(["--lib", "--crate-type", "cdylib", "--profile", "guest"])
            .args(["--target", TARGET, "--target-dir"])
            .arg(&self.target_dir);
        for (name, _) in env::vars_os() {
            if is_cleared(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        command.env("RUSTC", &self.rustc).env("CARGO_ENCODED_RUSTFLAGS", &self.flags);
        let output = command.output().map_err(|error| format!("cargo does not start: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("the strategy {package} does not build:\n{said}"));
        }
        let module =
            self.target_dir.join(TARGET).join("guest").join(format!("{}.wasm", package.replace('-', "_")));
        let module = fs::read(&module).map_err(|error| format!("{}: {error}", module.display()))?;
        encode(&module).map_err(|error| format!("{package} is not a strategy: {error:#}"))
    }
}

fn encode(module: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    Ok(ComponentEncoder::default().validate(true).module(module)?.encode()?)
}

fn is_cleared(name: &str) -> bool {
    let begins = |list: &[&str]| list.iter().any(|start| name.starts_with(start));
    begins(&CLEARED) && !begins(&KEPT)
}

/// A folder of its own beside the outer build's: a nested cargo would wait for the lock that its
/// parent holds. Build scripts may share it: none waits for another while it holds the lock there.
fn target_dir() -> Result<PathBuf, String> {
    let out = env::var_os("OUT_DIR").map(PathBuf::from).ok_or("OUT_DIR is not set")?;
    // <target>/<profile>/build/<package>/out
    Ok(out.ancestors().nth(4).unwrap_or(&out).join("guests"))
}

fn add_target(rustc: &OsString) -> Result<(), String> {
    let libraries = ask(rustc, &["--print", "target-libdir", "--target", TARGET])?;
    if Path::new(&libraries).is_dir() {
        return Ok(());
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).output();
    if added.is_ok_and(|output| output.status.success()) && Path::new(&libraries).is_dir() {
        return Ok(());
    }
    Err(format!("the compiler's target {TARGET} is missing: {HOW_TO_ADD}"))
}

/// Paths of the machine get into a strategy through the places of panics: each is replaced by a
/// name. Where several prefixes fit, the compiler takes the last, so the longest comes last.
fn flags(root: &Path, rustc: &OsString) -> Result<String, String> {
    let mut names = vec![(root.to_owned(), String::from("/keyhole"))];
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    if let Some(home) = home.or_else(|| Some(env::home_dir()?.join(".cargo"))) {
        // One folder for each registry or mirror that crates were ever taken from.
        for registry in fs::read_dir(home.join("registry/src")).into_iter().flatten().flatten() {
            names.push((registry.path(), String::from("/crates")));
        }
        names.push((home, String::from("/cargo")));
    }
    // The standard library's sources carry the second name where the first does not exist.
    let sysroot = PathBuf::from(ask(rustc, &["--print", "sysroot"])?);
    let version = ask(rustc, &["-vV"])?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    let library = sysroot.join("lib/rustlib/src/rust");
    names.push((library, format!("/rustc/{}", commit.unwrap_or("unknown"))));
    names.push((sysroot, String::from("/rust")));
    names.sort_by_key(|(path, _)| path.as_os_str().len());

    let mut flags = vec![format!("-Clink-arg=-zstack-size={STACK_BYTES}")];
    for (path, name) in names {
        flags.push(format!("--remap-path-prefix={}={name}", path.display()));
    }
    Ok(flags.join("\x1f"))
}

fn ask(rustc: &OsString, question: &[&str]) -> Result<String, String> {
    let output = Command::new(rustc)
        .args(question)
        .output()
        .map_err(|error| format!("{} does not start: {error}", rustc.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}
