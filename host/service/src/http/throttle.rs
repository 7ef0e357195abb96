//! How many requests a client may send: so many a second, and so many at once until their answers are taken. Answers
//! are handed over in chunks, so that it is known when they are, and a client that takes too long is cut off.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{Error, ErrorKind};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::{CHUNK, REQUESTS, REQUESTS_OF_ONE, TAKING_TIME};

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
pub(super) struct RateLimit(Option<RateLimiter<Client, HashMapStateStore<Client>, DefaultClock>>);

impl RateLimit {
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
pub(super) struct ConcurrencyLimit {
    all: Arc<Semaphore>,
    of_clients: Mutex<HashMap<Client, Arc<Semaphore>>>,
}

/// Lets one request be answered, of all and of its client's. Given back when it is dropped.
pub(super) type Permit = (OwnedSemaphorePermit, OwnedSemaphorePermit);

impl ConcurrencyLimit {
    pub(super) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(REQUESTS)), of_clients: Mutex::default() }
    }

    /// A permit for a request of a client; none where it has its share, or all are taken.
    pub(super) fn take(&self, client: Client) -> Option<Permit> {
        let of_all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        let mut of_clients = self.of_clients.lock().unwrap_or_else(PoisonError::into_inner);
        let of_client = of_clients.entry(client).or_insert_with(|| Arc::new(Semaphore::new(REQUESTS_OF_ONE)));
        Some((of_all, Arc::clone(of_client).try_acquire_owned().ok()?))
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        REQUESTS.saturating_sub(self.all.available_permits())
    }

    /// Forgets clients whose requests are all answered.
    pub(super) fn forget(&self) {
        let mut of_clients = self.of_clients.lock().unwrap_or_else(PoisonError::into_inner);
        of_clients.retain(|_, free| free.available_permits() < REQUESTS_OF_ONE);
    }
}

/// A body that holds its request's permit until the last of it is taken. (The concurrency limit of `tower` knows no
/// share of one client and gives a permit back with the head; the adapters of `http-body-util` lose a body's length.)
pub(super) struct PermittedBody {
    body: Body,
    _permit: Permit,
    deadline: Instant,
}

impl PermittedBody {
    pub(super) fn wrap(body: Body, permit: Permit) -> Body {
        Body::new(Self { body, _permit: permit, deadline: Instant::now() + TAKING_TIME })
    }
}

impl HttpBody for PermittedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if Instant::now() > self.deadline {
            let slow = Error::new(ErrorKind::TimedOut, "the client did not take the answer in time");
            return Poll::Ready(Some(Err(axum::Error::new(slow))));
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes in chunks: whoever writes them out asks for the next once the last is nearly written. Handed over whole,
/// they would count as taken with the first packet.
pub(super) struct ChunkedBody(Bytes);

impl ChunkedBody {
    pub(super) fn of(bytes: Vec<u8>) -> Body {
        Body::new(Self(bytes.into()))
    }
}

impl HttpBody for ChunkedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = self.0.len().min(CHUNK);
        Poll::Ready((chunk > 0).then(|| Ok(Frame::data(self.0.split_to(chunk)))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
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
        let limit = RateLimit::new(5);
        let let_in = (0..100).filter(|_| limit.take(client("10.0.0.1")).is_ok()).count();
        assert!((10..100).contains(&let_in), "{let_in}");
        let wait = limit.take(client("10.0.0.1")).unwrap_err();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert!(limit.take(client("10.0.0.2")).is_ok());
        assert!(limit.take(Client::Token(0)).is_ok());
        limit.forget();
        assert!((0..100).all(|_| RateLimit::new(0).take(client("10.0.0.1")).is_ok()));
    }

    #[test]
    fn addresses_of_one_site_are_one_client() {
        assert_eq!(client("2001:db8:1:2:3:4:5:6"), client("2001:db8:1:2::1"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
        assert_eq!(client("::ffff:10.0.0.1"), client("10.0.0.1"));
    }

    #[test]
    fn no_client_takes_all_permits_and_each_comes_back() {
        let limit = ConcurrencyLimit::new();
        let one: Vec<Permit> = std::iter::from_fn(|| limit.take(client("10.0.0.1"))).collect();
        assert_eq!(one.len(), REQUESTS_OF_ONE);
        let other: Vec<Permit> = std::iter::from_fn(|| limit.take(client("10.0.0.2"))).collect();
        assert_eq!(one.len() + other.len(), REQUESTS);
        assert!(limit.take(client("10.0.0.3")).is_none());
        drop((one, other));
        assert_eq!(limit.taken(), 0);
        limit.forget();
        assert!(limit.of_clients.lock().unwrap().is_empty(), "no client is remembered");
    }
}
