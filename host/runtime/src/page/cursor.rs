//! Cursors: what a client carries to the next page. Minted here, never by a strategy.
//!
//! A cursor holds the last key and the walk's bound, authenticated with a key from the state folder and
//! bound to log and filter. It does not expire.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::secret::{self, SECRET};
use keyhole_log::error::{Error, Unshown, WayOn};
use keyhole_log::model::{Filter, Key, Page};

const VERSION: u8 = 1;
const BODY: usize = 1 + 3 * 8;
const TAG: usize = 16;

/// Mints and reads cursors for one log.
#[derive(Clone)]
pub struct Cursors {
    secrets: Vec<[u8; SECRET]>,
    log: String,
}

impl Cursors {
    /// Takes the key from the state folder, making folder and key the first time. `log` is the log's
    /// own name for itself: a cursor is good for that log wherever it lies.
    ///
    /// The file may hold two keys, the newest first, so that cursors outlive a change of keys.
    pub fn open(state: &Path, log: String) -> Result<Self, Error> {
        let secrets = secret::open(state, "cursor.key")?;
        Ok(Self { secrets, log })
    }

    /// The log's own name, that cursors are bound to.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// The cursor of the next page: there is one if and only if this page is full.
    pub fn next(&self, page: &Page) -> Option<String> {
        let last = page.last_key().filter(|_| page.is_full())?;
        Some(self.mint(last, page.request.up_to.unwrap_or(page.high_water), &page.request.filter))
    }

    /// The cursors by which a collector goes on past an event that cannot be shown.
    pub fn way_on(&self, place: &Unshown, filter: &Filter) -> WayOn {
        let mint = |key| self.mint(key, place.up_to, filter);
        WayOn { start: mint(place.start), next: mint(place.after) }
    }

    /// The cursor that continues after `key`, over the events up to `up_to`.
    pub fn mint(&self, key: Key, up_to: i64, filter: &Filter) -> String {
        let mut bytes = Vec::with_capacity(BODY + TAG);
        bytes.push(VERSION);
        for number in [key.created_at, key.id, up_to] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        if let Some(secret) = self.secrets.first() {
            let tag = self.tag(secret, &bytes, filter).finalize().into_bytes();
            bytes.extend(tag.into_iter().take(TAG));
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor: the key that it continues after, and its bound.
    pub fn read(&self, cursor: &str, filter: &Filter) -> Result<(Key, i64), Error> {
        let bad = |why| Error::BadCursor { why };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad("it is not a cursor at all"))?;
        let Some((body, tag)) = bytes.split_at_checked(BODY).filter(|(_, tag)| tag.len() == TAG) else {
            return Err(bad("it has the wrong length"));
        };
        let Some((&VERSION, numbers)) = body.split_first() else {
            return Err(bad("it is of another version"));
        };
        let known = self
            .secrets
            .iter()
            .any(|secret| self.tag(secret, body, filter).verify_truncated_left(tag).is_ok());
        if !known {
            return Err(bad("it was not minted here, or for another filter or log"));
        }
        let mut numbers = numbers
            .chunks_exact(8)
            .map(|chunk| chunk.iter().fold(0, |number, &byte| (number << 8) | i64::from(byte)));
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(created_at), Some(id), Some(up_to)) => Ok((Key { created_at, id }, up_to)),
            _ => Err(bad("it has the wrong length")),
        }
    }

    fn tag(&self, secret: &[u8; SECRET], body: &[u8], filter: &Filter) -> Hmac<Sha256> {
        let mut mac = secret::mac(secret, b"keyhole cursor\0");
        mac.update(body);
        mac.update(&filter.from_ts.to_be_bytes());
        mac.update(&filter.to_ts.to_be_bytes());
        match filter.actor_id {
            Some(actor) => {
                mac.update(&[1]);
                mac.update(&actor.to_be_bytes());
            }
            None => mac.update(&[0]),
        }
        match &filter.action {
            Some(action) => {
                mac.update(&[1]);
                mac.update(&(action.len() as u64).to_be_bytes());
                mac.update(action.as_bytes());
            }
            None => mac.update(&[0]),
        }
        mac.update(self.log.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn filter() -> Filter {
        Filter { from_ts: 1, to_ts: 2, actor_id: Some(3), action: Some("LOGIN".to_owned()) }
    }

    const KEY: Key = Key { created_at: -5, id: i64::MAX };

    #[test]
    fn a_cursor_comes_back_whole_and_survives_a_restart() {
        let state = tempfile::tempdir().unwrap();
        let cursor = Cursors::open(state.path(), "log".into()).unwrap().mint(KEY, i64::MIN, &filter());
        let again = Cursors::open(state.path(), "log".into()).unwrap();
        assert_eq!(again.read(&cursor, &filter()).unwrap(), (KEY, i64::MIN));
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let state = tempfile::tempdir().unwrap();
        let cursors = Cursors::open(state.path(), "log".into()).unwrap();
        let cursor = cursors.mint(KEY, 7, &filter());
        let bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(cursors.read(&URL_SAFE_NO_PAD.encode(flipped), &filter()).is_err(), "bit {bit}");
        }
        for cut in 0..cursor.len() {
            assert!(cursors.read(&cursor[..cut], &filter()).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_cursor_is_bound_to_filter_and_log() {
        let state = tempfile::tempdir().unwrap();
        let cursors = Cursors::open(state.path(), "log".into()).unwrap();
        let cursor = cursors.mint(KEY, 7, &filter());
        for other in [
            Filter { from_ts: 0, ..filter() },
            Filter { to_ts: 3, ..filter() },
            Filter { actor_id: None, ..filter() },
            Filter { action: None, ..filter() },
        ] {
            assert!(cursors.read(&cursor, &other).is_err());
        }
        let elsewhere = Cursors::open(state.path(), "another".into()).unwrap();
        assert!(elsewhere.read(&cursor, &filter()).is_err());
    }

    #[test]
    fn a_torn_key_file_is_an_error_and_not_a_weaker_key() {
        let state = tempfile::tempdir().unwrap();
        Cursors::open(state.path(), "log".into()).unwrap();
        fs::write(state.path().join("cursor.key"), [1; 31]).unwrap();
        assert!(Cursors::open(state.path(), "log".into()).is_err());
    }
}
