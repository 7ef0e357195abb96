//! Whether a component is the one that a section means: its digest and its signature, over the very bytes
//! in memory that are loaded afterwards.

use std::path::{Path, PathBuf};

use minisign_verify::{PublicKey, Signature};

use crate::policy::{StrategySection, file};
use keyhole_log::error::{Error, Fault};

/// Most bytes of a signature file: four lines.
pub const SIGNATURE_BYTES: u64 = 4096;

/// Where a component's signature lies.
pub fn signature_path(component: &Path) -> PathBuf {
    let mut name = component.as_os_str().to_owned();
    name.push(".minisig");
    PathBuf::from(name)
}

/// Checks digest and signature, whichever the section names; if both, both must hold. Every fault is
/// reported.
pub fn check(section: &StrategySection, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut faults = Vec::new();
    if let Some(expected) = &section.digest {
        let found = keyhole_log::hash::sha256(bytes);
        if found != *expected {
            faults.push(Fault {
                code: "digest-mismatch",
                what: format!(
                    "[strategy.{}] names sha256:{expected}, and this is sha256:{found}",
                    section.name
                ),
            });
        }
    }
    if let Some((name, key)) = &section.key {
        faults.extend(check_signature(name, key, path, bytes)?);
    }
    // A section that names neither is refused when the policy is read.
    if section.digest.is_none() && section.key.is_none() {
        faults.push(Fault { code: "digest-mismatch", what: "its stanza names no bytes".to_owned() });
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::Unproven { path: path.to_owned(), faults }) }
}

/// Checks the signature beside a component against one key. None if it holds.
fn check_signature(name: &str, key: &str, path: &Path, bytes: &[u8]) -> Result<Option<Fault>, Error> {
    let beside = signature_path(path);
    let fault = |code, what: &str| Ok(Some(Fault { code, what: format!("{} {what}", beside.display()) }));
    let text = match file::read(&beside, SIGNATURE_BYTES) {
        Ok(text) => text,
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return fault("signature-missing", &format!("is not there, and key {name} must have signed it"));
        }
        Err(error) => return Err(error),
    };
    let signature = std::str::from_utf8(&text).ok().and_then(|text| Signature::decode(text).ok());
    let Some(signature) = signature else {
        return fault("signature-invalid", "is no minisign signature");
    };
    let key = PublicKey::from_base64(key).map_err(|error| {
        Error::Engine(format!("the key {name} was valid when the policy was read: {error}"))
    })?;
    match key.verify(bytes, &signature, false) {
        Ok(()) => Ok(None),
        Err(minisign_verify::Error::UnexpectedKeyId) => {
            fault("signed-by-another", &format!("is not by key {name}"))
        }
        Err(minisign_verify::Error::UnsupportedLegacyMode | minisign_verify::Error::UnexpectedAlgorithm) => {
            let what = "is of the old form without prehashing: sign it with minisign 0.10 or later";
            fault("signature-invalid", what)
        }
        Err(error) => {
            let what = format!("does not hold for these bytes and key {name}: {error}");
            fault("signature-invalid", &what)
        }
    }
}

/// Who signed a component, as far as the policy's keys tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// There is no signature beside it.
    No,
    /// By the key of that name.
    By(String),
    /// There is a signature, but it is of none of the policy's keys, or does not hold.
    ByNobodyKnown,
}

/// Finds out who signed a component.
pub fn signer<'a>(
    keys: impl Iterator<Item = (&'a String, &'a String)>,
    path: &Path,
    bytes: &[u8],
) -> Result<Signed, Error> {
    if !signature_path(path).exists() {
        return Ok(Signed::No);
    }
    for (name, key) in keys {
        if check_signature(name, key, path, bytes)?.is_none() {
            return Ok(Signed::By(name.clone()));
        }
    }
    Ok(Signed::ByNobodyKnown)
}
