//! What a client may use of the server, each with its reason. What a strategy may use stands in the policy.

use std::time::Duration;

/// Events on a page where nothing is said.
pub(super) const PAGE_SIZE: u32 = 50;

/// Events on a page at most: a page of 1,000 is some 1.5 MB, more is for a walk.
pub(super) const MOST_EVENTS: u32 = 1_000;

/// Bytes of path and query. A request with the longest cursor and an action of 1,000 letters has 2,000.
pub(super) const TARGET_BYTES: usize = 8 << 10;

/// Bytes of request line and headers together. Above `TARGET_BYTES`, so that the longer target is told apart.
pub(super) const HEAD_BYTES: usize = 24 << 10;

/// Header lines.
pub(super) const HEADERS: usize = 64;

/// Bytes that a connection buffers, either way.
pub(super) const BUFFER_BYTES: usize = 32 << 10;

/// Bytes of a body. A viewer sends none that is read; the longest order of an operator's has some 5,000.
pub(super) const BODY_BYTES: usize = 64 << 10;

/// From a connection's first moment, or its last answer, until a request's head is whole.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(15);

/// The same while few connections are left: whoever idles makes room.
pub(super) const HEAD_TIME_WHEN_FULL: Duration = Duration::from_secs(1);

/// For the body of an order.
pub(super) const BODY_TIME: Duration = Duration::from_secs(5);

/// From a request's head to its answer. Far above what the policy gives a strategy and the short queue
/// before it, so it strikes only where something is stuck.
pub(super) const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Until a client has taken a whole answer: the bytes of an answer are memory of ours.
pub(super) const TAKING_TIME: Duration = Duration::from_secs(30);

/// Without a single byte taken.
pub(super) const STALL_TIME: Duration = Duration::from_secs(10);

/// Connections at once. 10,000 idle ones cost some 100 MB and leave room for those that ask.
pub(super) const CONNECTIONS: usize = 16_384;

/// File descriptors that connections leave: for the log, scratch, children that compile, the admin socket.
pub(super) const DESCRIPTORS: usize = 512;

/// Connections of operators, apart from those of viewers: an operator gets in where no viewer does.
pub(super) const OPERATORS: usize = 64;

/// Requests at once, from their head until their answer is taken: with pages of 4 MB, half a gigabyte.
pub(super) const REQUESTS: usize = 128;

/// Of these, requests of one client: no client can take all the places by reading slowly.
pub(super) const REQUESTS_OF_ONE: usize = REQUESTS / 2;

/// Requests a second of one client where nothing is said, and twice as many at once.
pub const RATE: u32 = 1_000;

/// Bytes of an answer that are handed over at once.
pub(super) const CHUNK: usize = 64 << 10;

/// Answers below this size are not compressed: they fit one packet.
pub(super) const COMPRESS_FROM: u64 = 1_400;
