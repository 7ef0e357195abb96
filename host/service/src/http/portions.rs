//! The body of an answer, handed over in portions: its memory and its request's place are given back as it is
//! taken, and a client that takes too long is cut off.

use std::convert::Infallible;
use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::serve::bounds::{PORTION, TAKING_TIME};
use crate::serve::rates::Place;

/// A body that holds its request's place until the last of it is taken.
pub(super) struct Held {
    body: Body,
    _place: Place,
    deadline: Instant,
}

impl Held {
    /// A body that holds a place.
    pub(super) fn body(body: Body, place: Place) -> Body {
        Body::new(Self { body, _place: place, deadline: Instant::now() + TAKING_TIME })
    }
}

impl HttpBody for Held {
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

/// Bytes in portions: whoever writes them out asks for the next once the last is nearly written.
pub(super) struct Portions(Bytes);

impl Portions {
    pub(super) fn of(bytes: Vec<u8>) -> Body {
        Body::new(Self(bytes.into()))
    }
}

impl HttpBody for Portions {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        let portion = self.0.len().min(PORTION);
        Poll::Ready(Some(Ok(Frame::data(self.0.split_to(portion)))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}
