//! A decision, its record in the log, and how a record is chained to the one before it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use keyhole_log::visible::visible;

/// Longest line, newline included. No record that is written comes near it; a longer line is no record.
pub(super) const MOST_LINE: usize = 32 << 10;

/// What stands for the hash of the record before the first one.
pub(super) const BEFORE_FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Largest number that canonical JSON keeps exact.
const MOST_NUMBER: u64 = (1 << 53) - 1;

/// Bytes of the longest reason and request that are kept.
const MOST_TEXT: usize = 2_048;

/// Bytes of the longest name that is kept.
const MOST_NAME: usize = 256;

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A strategy was let in.
    Load,
    /// A strategy was not let in.
    Refuse,
    /// A policy was widened for a strategy.
    Grant,
    /// A strategy asked for what it is not granted.
    Deny,
    /// A strategy came a step further in its life, or left it.
    Stage,
    /// Another strategy became the active one.
    Swap,
    /// An audit or a proof came to a verdict.
    Verdict,
    /// A strategy's scratch did not fit the log any more, whose history was changed, and was let go of.
    Refill,
    /// An event's payload was found to be another one than before, or no line of its own.
    Payload,
    /// An append that had been cut short was passed over.
    Repair,
}

/// One decision, to be recorded. Texts may come from anywhere: they are escaped and cut.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What was decided.
    pub event: Event,
    /// The strategy's name or path.
    pub strategy: String,
    /// The digest of its component.
    pub digest: Option<String>,
    /// The digest of the policy that was in effect.
    pub policy: Option<String>,
    /// Who decided; the user of this process if nobody is named.
    pub by: Option<String>,
    /// Why.
    pub reason: String,
    /// The request that led to it.
    pub request: Option<String>,
    /// How often, where one record stands for many.
    pub count: Option<u64>,
}

impl Decision {
    /// A decision about a strategy, with its reason and nothing else.
    pub fn new(event: Event, strategy: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            event,
            strategy: strategy.into(),
            digest: None,
            policy: None,
            by: None,
            reason: reason.into(),
            request: None,
            count: None,
        }
    }
}

/// The bytes of an append that was cut short, passed over by a record of [`Event::Repair`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Torn {
    /// Where they begin in the file.
    pub byte: u64,
    /// How many they are, the newline that ends them not counted.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: String,
}

/// A record, as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number, from 1.
    pub seq: u64,
    /// The hash of the record before it.
    pub prev: String,
    /// When, RFC 3339.
    pub at: String,
    /// Who decided.
    pub who: String,
    /// What was decided.
    pub event: Event,
    /// The strategy's name or path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// The digest of its component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The digest of the policy that was in effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Why.
    pub reason: String,
    /// The request that led to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// How often, where one record stands for many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// What was passed over, in a repair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub torn: Option<Torn>,
    /// SHA-256 over the canonical form of everything else here, in hex.
    pub hash: String,
}

/// A place in the chain: what an operator keeps elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Head {
    /// The record's number; 0 before the first.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

impl Record {
    /// The record that follows `head`, unless its hash cannot be taken.
    pub(super) fn after(head: &Head, decision: &Decision) -> serde_json::Result<Self> {
        let record = Self {
            seq: head.seq + 1,
            prev: head.hash.clone(),
            at: format!("{:.3}", jiff::Timestamp::now()),
            who: decision.by.as_deref().map_or_else(user, |by| cut(by, MOST_NAME)),
            event: decision.event,
            strategy: Some(cut(&decision.strategy, MOST_NAME)).filter(|name| !name.is_empty()),
            digest: decision.digest.as_deref().map(|digest| cut(digest, MOST_NAME)),
            policy: decision.policy.as_deref().map(|digest| cut(digest, MOST_NAME)),
            reason: cut(&decision.reason, MOST_TEXT),
            request: decision.request.as_deref().map(|request| cut(request, MOST_TEXT)),
            count: decision.count.map(|count| count.min(MOST_NUMBER)),
            torn: None,
            hash: String::new(),
        };
        record.sealed()
    }

    /// The record that passes over an append that was cut short.
    pub(super) fn repair(head: &Head, torn: Torn) -> serde_json::Result<Self> {
        let reason = format!("an append was cut short: {} bytes at byte {}", torn.bytes, torn.byte);
        let record = Self::after(head, &Decision::new(Event::Repair, "", reason))?;
        Self { torn: Some(torn), ..record }.sealed()
    }

    fn sealed(mut self) -> serde_json::Result<Self> {
        let mut value = serde_json::to_value(&self)?;
        self.hash = hash(&mut value)?;
        Ok(self)
    }

    /// Reads a line, its newline not included. Says what is wrong with it.
    pub(super) fn parse(line: &[u8]) -> Result<Self, &'static str> {
        let no_record = "it is not a record";
        let mut value: Value = serde_json::from_slice(line).map_err(|_| no_record)?;
        let record = Self::deserialize(&value).map_err(|_| no_record)?;
        if serde_json_canonicalizer::to_vec(&value).map_err(|_| no_record)? != line {
            return Err("it was rewritten: it is not in canonical form");
        }
        // Over everything that stands there, also what a later version adds.
        if hash(&mut value).map_err(|_| no_record)? != record.hash {
            return Err("it was edited: its hash is another one");
        }
        Ok(record)
    }

    /// The line as it is written, newline included.
    pub(super) fn line(&self) -> serde_json::Result<Vec<u8>> {
        let mut line = serde_json_canonicalizer::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    /// Its place in the chain.
    pub fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash.clone() }
    }
}

/// The hash of a record: of its canonical form, without `hash` itself.
fn hash(value: &mut Value) -> serde_json::Result<String> {
    if let Some(fields) = value.as_object_mut() {
        fields.remove("hash");
    }
    Ok(keyhole_log::hash::hex(&Sha256::digest(serde_json_canonicalizer::to_vec(value)?)))
}

/// A text of unknown origin: escaped, and cut to so many bytes.
fn cut(text: &str, most: usize) -> String {
    let mut shown = visible(text);
    if shown.len() > most {
        let end = (0..=most).rev().find(|end| shown.is_char_boundary(*end)).unwrap_or(0);
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

impl Head {
    /// The place before the first record.
    pub(super) fn start() -> Self {
        Self { seq: 0, hash: BEFORE_FIRST.to_owned() }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.seq, self.hash)
    }
}

impl FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad =
            || "not SEQ:HASH, a number and 64 hexadecimal digits, as `decisions check` prints it".to_owned();
        let (seq, hash) = text.split_once(':').ok_or_else(bad)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if hash.len() != BEFORE_FIRST.len() || !hash.bytes().all(is_digit) {
            return Err(bad());
        }
        let digits = !seq.is_empty() && seq.bytes().all(|byte| byte.is_ascii_digit());
        let seq = seq.parse().ok().filter(|seq| digits && *seq > 0).ok_or_else(bad)?;
        Ok(Self { seq, hash: hash.to_owned() })
    }
}

/// The user that this process runs as: its name, where the machine's list of users has it, and its
/// number. Not from the environment, which anybody may set.
pub fn user() -> String {
    user_of(rustix::process::getuid().as_raw())
}

/// The user of that number, as [`user`] says it.
pub fn user_of(uid: u32) -> String {
    let users = std::fs::read("/etc/passwd").unwrap_or_default();
    match name(&String::from_utf8_lossy(&users), uid) {
        Some(name) => format!("{} (uid {uid})", visible(name)),
        None => format!("uid {uid}"),
    }
}

fn name(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let found = fields.nth(1)?.parse() == Ok(uid);
        (found && !name.is_empty() && name.len() <= 64).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_user_is_found_by_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\nbroken\n:x:7:7\nada:x:1000:1000:,,,:/home/ada:/bin/sh\n";
        assert_eq!(name(users, 1000), Some("ada"));
        assert_eq!(name(users, 0), Some("root"));
        assert_eq!(name(users, 7), None);
        assert_eq!(name(users, 8), None);
    }
}
