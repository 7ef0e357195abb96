//! The fuzz targets: each takes any bytes whatever, and panics where a promise is broken.
//!
//! `cargo fuzz` drives them (`fuzz/run`); the tests below only send each input of the committed corpus through
//! its target, in a build like any other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a target that finds something ends there"
)]

mod bytes;
pub mod component;
pub mod cursor;
pub mod index;
pub mod policy;
pub mod request;
mod signals;
pub mod sql;
#[cfg(feature = "libfuzzer")]
pub mod stack;

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    /// Sends every input of a folder of the corpus through its target. Each is named first: a target that finds
    /// something may end the process.
    fn replay(name: &str, target: fn(&[u8])) {
        let folder = tempfile::tempdir().unwrap();
        let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus.tar.gz");
        let unpacked =
            Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(folder.path()).arg(name).status();
        assert!(unpacked.unwrap().success());
        let mut inputs = 0;
        for entry in std::fs::read_dir(folder.path().join(name)).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            target(&std::fs::read(&path).unwrap());
            inputs += 1;
        }
        assert!(inputs > 20, "{inputs} inputs");
    }

    macro_rules! each_takes_its_corpus {
        ($($name:ident)*) => {
            $(
                #[test]
                fn $name() {
                    replay(stringify!($name), crate::$name::target);
                }
            )*
        };
    }

    each_takes_its_corpus! { component cursor index policy request sql }
}
