//! How many requests a client may send: so many a second, so many at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::serve::bounds::{REQUESTS, REQUESTS_OF_ONE};

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Client {
    /// Whoever has this token, by its place in the file.
    Token(u32),
    /// An address; of IPv6 the network that one site gets.
    Address(IpAddr),
}

impl Client {
    /// The client behind an address.
    pub(super) fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::Address(address.into()),
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                Self::Address(IpAddr::V6(network.into()))
            }
        }
    }
}

/// The requests a second of every client.
pub(super) struct Rates(Option<RateLimiter<Client, HashMapStateStore<Client>, DefaultClock>>);

impl Rates {
    /// So many a second and twice as many at once; 0 for no limit.
    pub(super) fn new(rate: u32) -> Self {
        Self(NonZeroU32::new(rate).map(|rate| {
            let burst = rate.saturating_mul(NonZeroU32::MIN.saturating_add(1));
            RateLimiter::hashmap(Quota::per_second(rate).allow_burst(burst))
        }))
    }

    /// Counts a request. Fails with the time to wait.
    pub(super) fn take(&self, client: Client) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check_key(&client).map_err(|not_yet| not_yet.wait_time_from(DefaultClock::default().now()))
    }

    /// Forgets clients that may send as much as new ones.
    pub(super) fn forget(&self) {
        if let Some(limiter) = &self.0 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

/// The requests that are being answered.
pub(super) struct Places {
    all: Arc<Semaphore>,
    of_clients: Arc<Mutex<HashMap<Client, usize>>>,
}

/// One request's place. Given back when it is dropped.
pub(super) struct Place {
    client: Client,
    of_clients: Arc<Mutex<HashMap<Client, usize>>>,
    _one: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(REQUESTS)), of_clients: Arc::default() }
    }

    /// A place for a request of a client; none where it has its share, or all are taken.
    pub(super) fn take(&self, client: Client) -> Option<Place> {
        let one = Arc::clone(&self.all).try_acquire_owned().ok()?;
        let mut of_clients = self.of_clients.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = of_clients.entry(client).or_default();
        if *taken >= REQUESTS_OF_ONE {
            return None;
        }
        *taken += 1;
        drop(of_clients);
        Some(Place { client, of_clients: Arc::clone(&self.of_clients), _one: one })
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        REQUESTS.saturating_sub(self.all.available_permits())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut of_clients = self.of_clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = of_clients.get_mut(&self.client) {
            *taken -= 1;
            if *taken == 0 {
                of_clients.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Client {
        Client::at(address.parse().unwrap())
    }

    #[test]
    fn one_client_is_slowed_down_and_no_other() {
        let rates = Rates::new(5);
        let let_in = (0..100).filter(|_| rates.take(client("10.0.0.1")).is_ok()).count();
        assert!((10..100).contains(&let_in), "{let_in}");
        let wait = rates.take(client("10.0.0.1")).unwrap_err();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert!(rates.take(client("10.0.0.2")).is_ok());
        assert!(rates.take(Client::Token(0)).is_ok());
        rates.forget();
        assert!((0..100).all(|_| Rates::new(0).take(client("10.0.0.1")).is_ok()));
    }

    #[test]
    fn addresses_of_one_site_are_one_client() {
        assert_eq!(client("2001:db8:1:2:3:4:5:6"), client("2001:db8:1:2::1"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
        assert_eq!(client("::ffff:10.0.0.1"), client("10.0.0.1"));
    }

    #[test]
    fn no_client_takes_all_places_and_each_place_comes_back() {
        let places = Places::new();
        let one: Vec<Place> = std::iter::from_fn(|| places.take(client("10.0.0.1"))).collect();
        assert_eq!(one.len(), REQUESTS_OF_ONE);
        let other: Vec<Place> = std::iter::from_fn(|| places.take(client("10.0.0.2"))).collect();
        assert_eq!(one.len() + other.len(), REQUESTS);
        assert!(places.take(client("10.0.0.3")).is_none());
        drop((one, other));
        assert_eq!(places.taken(), 0);
        assert!(places.of_clients.lock().unwrap().is_empty(), "no client is remembered");
    }
}
