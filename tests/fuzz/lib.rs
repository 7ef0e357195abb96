//! The fuzz targets: each takes any bytes whatever, and panics where a promise is broken.
//!
//! `tests/fuzz/run` drives them with libFuzzer; the tests below only send each file of the committed
//! corpus through its target.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a target that finds something ends there"
)]

mod bytes;
mod component;
mod cursor;
mod index;
mod policy;
mod request;
mod signals;
mod sql;

/// A target: what it is called, and what it does with the bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target by its name, which is also its folder in the corpus.
pub const TARGETS: &[Target] = &[
    ("component", component::target),
    ("cursor", cursor::target),
    ("index", index::target),
    ("policy", policy::target),
    ("request", request::target),
    ("sql", sql::target),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::TARGETS;

    #[test]
    fn every_target_takes_its_corpus() {
        for (name, target) in TARGETS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
            let mut files = 0;
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                println!("{}", path.display());
                target(&std::fs::read(&path).unwrap());
                files += 1;
            }
            assert!(files > 0, "{} is empty", folder.display());
        }
    }
}
