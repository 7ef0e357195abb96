//! The name of a request in logs: the client's own, where it sent one that is fit to be logged, or one of ours.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::http::{HeaderMap, HeaderName};

/// The header that carries it.
pub(super) const NAME: HeaderName = HeaderName::from_static("x-request-id");

/// Characters of a client's name at most.
const LONGEST: usize = 64;

static COUNT: AtomicU64 = AtomicU64::new(0);

/// The request's name.
pub(super) fn of(headers: &HeaderMap) -> String {
    let sent = headers.get(NAME).and_then(|value| value.to_str().ok());
    sent.filter(|name| is_fit(name)).map_or_else(ours, str::to_owned)
}

fn ours() -> String {
    static PROCESS: OnceLock<u64> = OnceLock::new();
    // Keyed at random once a process: names of two runs are not mistaken for each other.
    let process = PROCESS.get_or_init(|| RandomState::new().hash_one(std::process::id()));
    format!("{process:016x}-{}", COUNT.fetch_add(1, Relaxed))
}

fn is_fit(name: &str) -> bool {
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !name.is_empty() && name.len() <= LONGEST && name.bytes().all(fit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_name_is_kept_if_it_is_fit_and_ours_differ() {
        let named = |name: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(NAME, name.parse().unwrap());
            of(&headers)
        };
        assert_eq!(named("a-1.B_2"), "a-1.B_2");
        for unfit in ["", "a b", "a\"b", &"x".repeat(65)] {
            assert_ne!(named(unfit), *unfit);
        }
        assert_ne!(of(&HeaderMap::new()), of(&HeaderMap::new()));
    }
}
