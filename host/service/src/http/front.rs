//! What the handlers share.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};

use crate::error::Error;
use crate::serve::book::Book;
use crate::serve::figures::Figures;
use crate::serve::rates::{Places, Rates};
use crate::serve::tokens::Tokens;
use crate::service::Service;

/// The front of the service.
pub(super) struct Front {
    /// Who answers.
    pub(super) service: Service,
    /// Where clients left off.
    pub(super) book: Book,
    /// Who is let in.
    pub(super) guests: Guests,
    /// Whether it listens on the loopback, and answers for no other host.
    pub(super) loopback: bool,
    /// How often a client may ask.
    pub(super) rates: Rates,
    /// How many may at once.
    pub(super) places: Places,
    /// What is counted.
    pub(super) figures: Figures,
    /// Set once it is about to end.
    pub(super) ending: AtomicBool,
}

/// Who is let in: whoever has a token of the file, or everybody.
pub(super) struct Guests {
    file: Option<PathBuf>,
    tokens: RwLock<Option<Arc<Tokens>>>,
}

impl Guests {
    /// The guests of a file of tokens; everybody where there is none.
    pub(super) fn of(file: Option<PathBuf>) -> Result<Self, Error> {
        let guests = Self { file, tokens: RwLock::new(None) };
        guests.put(guests.read()?);
        Ok(guests)
    }

    /// Reads the file again, without putting it in force.
    pub(super) fn read(&self) -> Result<Option<Arc<Tokens>>, Error> {
        self.file.as_deref().map(|file| Tokens::read(file).map(Arc::new)).transpose()
    }

    /// Puts in force what was read.
    pub(super) fn put(&self, tokens: Option<Arc<Tokens>>) {
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
    }

    /// The tokens in force; none where everybody is let in.
    pub(super) fn tokens(&self) -> Option<Arc<Tokens>> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
