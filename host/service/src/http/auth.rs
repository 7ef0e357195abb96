//! The tokens that viewers are let in by: a file of them, and how one is recognised without telling how near a
//! guess came.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::problem::Problem;
use keyhole_log::error::Error;

/// Characters of a token at least: 32 of hexadecimal are 128 bits.
const SHORTEST: usize = 32;

/// Bytes of the file at most.
const MOST_BYTES: u64 = 1 << 20;

/// Tokens at most: each is compared with at every request.
const MOST_TOKENS: usize = 1_000;

/// Who is let in: whoever has a token of the file, or everybody where there is no file.
pub(super) struct AuthTokens {
    file: Option<PathBuf>,
    in_force: ArcSwapOption<Tokens>,
}

impl AuthTokens {
    pub(super) fn open(file: Option<PathBuf>) -> Result<Self, Error> {
        let tokens = Self { file, in_force: ArcSwapOption::empty() };
        tokens.put_in_force(tokens.read()?);
        Ok(tokens)
    }

    /// Reads the file again, without putting it in force.
    pub(super) fn read(&self) -> Result<Option<Arc<Tokens>>, Error> {
        self.file.as_deref().map(|file| Tokens::read(file).map(Arc::new)).transpose()
    }

    /// Puts in force what was read.
    pub(super) fn put_in_force(&self, tokens: Option<Arc<Tokens>>) {
        self.in_force.store(tokens);
    }

    /// Which token a request carries, by its place in the file; none where everybody is let in.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<Option<u32>, Problem> {
        let Some(tokens) = self.in_force.load_full() else { return Ok(None) };
        let token = bearer(headers).ok_or_else(|| Problem::new("unauthorized"))?;
        tokens.place(token).map(Some).ok_or_else(|| Problem::new("forbidden"))
    }
}

/// The token that a request carries; none where it carries none, or more than one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    let (scheme, token) = line.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_matches(' '))
}

/// The tokens of a file. Kept as digests alone, of equal length whatever the token, so that its length is not told
/// either.
pub(super) struct Tokens(Vec<[u8; 32]>);

impl Tokens {
    /// Reads a file: one token a line; blank lines and lines that begin with # are passed over.
    fn read(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::io(path, source);
        // Without this flag, opening a FIFO would wait for whoever writes to it.
        let waits_for_nobody = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = File::options().read(true).custom_flags(waits_for_nobody).open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let bad = |what: &str| Err(Error::bad_request(format!("{}: {what}", path.display())));
        if !metadata.is_file() {
            return bad("it is not a regular file");
        }
        if metadata.mode() & 0o077 != 0 {
            return bad("others may read it: chmod 600 it, and make new tokens if others could");
        }
        let mut text = String::new();
        file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > MOST_BYTES {
            // Cut there, the last token would be another one.
            return bad(&format!("it is larger than {MOST_BYTES} bytes"));
        }
        let mut tokens = Vec::new();
        for (line, number) in text.lines().map(str::trim).zip(1u32..) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if !is_token(line) {
                return bad(&format!(
                    "line {number} is not a token: {SHORTEST} or more letters, digits and -._~+/= without blanks"
                ));
            }
            tokens.push(digest(line));
        }
        match tokens.len() {
            0 => bad("it holds no token, so nobody would be let in"),
            1..=MOST_TOKENS => Ok(Self(tokens)),
            _ => bad(&format!("it holds more than {MOST_TOKENS} tokens")),
        }
    }

    /// Which token this is, by its place. Takes as long for every guess.
    fn place(&self, token: &str) -> Option<u32> {
        let presented = digest(token);
        let mut found = u32::MAX;
        for (known, place) in self.0.iter().zip(0u32..) {
            found.conditional_assign(&place, known.ct_eq(&presented));
        }
        (found != u32::MAX).then_some(found)
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Whether it can be sent as a bearer's token (RFC 6750) and is not easily guessed.
fn is_token(line: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    line.len() >= SHORTEST && line.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef";
    const TWO: &str = "fedcba9876543210fedcba9876543210";

    fn read(text: &str, mode: u32) -> Result<Tokens, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Tokens::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_is_recognised_whole_or_not_at_all() {
        let tokens = read(&format!("# collectors\n\n{ONE}\n  {TWO}  \n"), 0o600).unwrap();
        assert_eq!((tokens.place(ONE), tokens.place(TWO)), (Some(0), Some(1)));
        for other in ["", &ONE[1..], &format!("{ONE}0"), "# collectors", &ONE.to_uppercase()] {
            assert_eq!(tokens.place(other), None, "{other}");
        }
    }

    #[test]
    fn a_file_that_would_let_in_nobody_or_anybody_is_refused() {
        for (text, mode, said) in [
            ("", 0o600, "no token"),
            ("short\n", 0o600, "line 1"),
            ("# fine\n0123456789abcdef 0123456789abcdef\n", 0o600, "line 2"),
            (ONE, 0o640, "others may read it"),
            (ONE, 0o604, "others may read it"),
        ] {
            let refused = read(text, mode).map(|_| ()).unwrap_err();
            assert!(refused.contains(said), "{text:?}: {refused}");
        }
    }

    #[test]
    fn a_file_that_is_too_large_is_refused_whole_and_one_that_never_ends_is_no_file() {
        let most = usize::try_from(MOST_BYTES).unwrap();
        let large = format!("#{}\n{ONE}", "#".repeat(most - ONE.len() - 2));
        assert!(read(&large, 0o600).is_ok_and(|tokens| tokens.place(ONE).is_some()));
        let refused = read(&format!("{large}0"), 0o600).map(|_| ()).unwrap_err();
        assert!(refused.contains("larger than"), "{refused}");
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("tokens");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(Tokens::read(&fifo).map(|_| ()).unwrap_err().to_string().contains("not a regular file"));
    }
}
