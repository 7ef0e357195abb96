//! The hostile strategies as files, for the tests and benchmarks that hand them to the binary.

use std::path::{Path, PathBuf};

use keyhole_lab::selftest::zoo;

/// A file with the component that plays the strategy `name`, made in `folder`. Panics where there is no
/// such strategy.
///
/// # Panics
///
/// Where there is no strategy of that name, or the file cannot be written.
#[allow(clippy::panic, reason = "a test that cannot go on ends there")]
pub fn write_guest(folder: &Path, name: &str) -> PathBuf {
    let Some(component) = zoo::component(name) else { panic!("no hostile strategy is named {name}") };
    let path = folder.join(format!("{name}.wasm"));
    let part = folder.join(format!("{name}.{:?}.part", std::thread::current().id()));
    // Written aside and renamed: several tests want the same file at once.
    match std::fs::write(&part, component).and_then(|()| std::fs::rename(&part, &path)) {
        Ok(()) => path,
        Err(error) => panic!("{}: {error}", path.display()),
    }
}
