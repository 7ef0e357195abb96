//! The one table of hostile strategies: what each tries, the request that brings it about, and what an
//! operator must observe. The tests and `selftest` both go through it.
//!
//! Every request is meant for the log of [`ROWS`] rows that the contract's generator makes.

mod audited;
mod behaviour;
mod handles;
mod imports;
mod memory;
mod others;
mod returns;
mod scratch;
mod sql;
mod sums;
mod time;

use crate::limits::Limits;
use crate::page::{Filter, PageRequest, Position};
use crate::policy::Grants;
use crate::strategy::Instances;

/// How many rows of the contract's data set the requests of the table are meant for.
pub const ROWS: u64 = 2_000;

/// The attacks by what they are aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// Guest time, and time in host calls.
    Time,
    /// Memory, tables, stacks, and bytes that cross into the host.
    Memory,
    /// What a strategy answers.
    Returns,
    /// Handles of events.
    Handles,
    /// Statements.
    Sql,
    /// Tables of a strategy's own.
    Scratch,
    /// Answers that depend on what they must not depend on.
    Behaviour,
    /// What a strategy imports.
    Imports,
    /// None of these: what the others are compared with.
    Other,
}

/// Where an attack is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The request fails, or already the load: the error's observation is one of those expected.
    Refused,
    /// Calls are denied, each expected denial is counted in the ledger, and since the strategy goes on
    /// honestly, the page is right.
    Denied,
    /// The page passes every check of its own; a comparison with a reference finds the lie.
    Compared,
    /// The page is right and nothing is counted.
    Harmless,
}

/// What happens to log or scratch after the first request, before the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// Nothing.
    Nothing,
    /// An event arrives, and scratch is refreshed.
    LogGrows,
    /// The tables that the strategy made for another log are put in the place of its own.
    ScratchOfAnotherLog,
    /// Scratch is overwritten, all but its first page.
    ScratchDamaged,
}

/// The request that brings an attack about.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// First second of the window.
    pub from: Option<i64>,
    /// Last second of the window.
    pub to: Option<i64>,
    /// One actor's events only.
    pub actor: Option<i64>,
    /// One action's events only.
    pub action: Option<&'static str>,
    /// The page, from 1.
    pub page: u64,
    /// Events a page.
    pub page_size: u32,
}

impl Ask {
    /// The newest ten events.
    const NEWEST: Self = Self { from: None, to: None, actor: None, action: None, page: 1, page_size: 10 };

    /// As a request of the host's.
    pub fn request(&self) -> PageRequest {
        PageRequest {
            filter: Filter {
                from_ts: self.from.unwrap_or(i64::MIN),
                to_ts: self.to.unwrap_or(i64::MAX),
                actor_id: self.actor,
                action: self.action.map(str::to_owned),
            },
            position: Position::Page(self.page),
            page_size: self.page_size,
            up_to: None,
        }
    }
}

/// One hostile strategy.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its name, as in the zoo.
    pub name: &'static str,
    /// What it is aimed at.
    pub group: Group,
    /// The attack in a sentence.
    pub what: &'static str,
    /// The request.
    pub ask: Ask,
    /// How often the request is sent to the same worker, at most: the first failure ends it.
    pub times: u32,
    /// How its instances live.
    pub instances: Instances,
    /// Changes the default limits, where another one would strike first.
    pub limits: Option<fn(&mut Limits)>,
    /// Changes the local grants.
    pub grants: Option<fn(&mut Grants)>,
    /// What happens between the first request and the second.
    pub between: Between,
    /// Where it is seen.
    pub seen: Seen,
    /// What is observed ([`Error::observed`](crate::error::Error::observed)): one of these for
    /// [`Seen::Refused`] and [`Seen::Compared`], all of them for [`Seen::Denied`].
    pub expected: &'static [&'static str],
}

impl Case {
    const fn new(
        group: Group,
        name: &'static str,
        what: &'static str,
        seen: Seen,
        expected: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            group,
            what,
            ask: Ask::NEWEST,
            times: 1,
            instances: Instances::Fresh,
            limits: None,
            grants: None,
            between: Between::Nothing,
            seen,
            expected,
        }
    }

    const fn asking(self, ask: Ask) -> Self {
        Self { ask, ..self }
    }

    /// Asks one warm instance this often.
    const fn warm(self, times: u32) -> Self {
        Self { times, instances: Instances::Warm(Instances::USES), ..self }
    }

    const fn under(self, limits: fn(&mut Limits)) -> Self {
        Self { limits: Some(limits), ..self }
    }

    const fn granted(self, grants: fn(&mut Grants)) -> Self {
        Self { grants: Some(grants), ..self }
    }

    /// Asks twice, and this happens in between.
    const fn after(self, between: Between) -> Self {
        Self { between, times: 2, ..self }
    }

    /// What it is granted: what local verbs grant, with the case's own changes.
    pub fn grants(&self) -> Grants {
        let mut grants = Grants { limits: self.limits(), ..Grants::local() };
        if let Some(change) = self.grants {
            change(&mut grants);
        }
        grants
    }

    /// The default limits, with the case's own change.
    pub fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        if let Some(change) = self.limits {
            change(&mut limits);
        }
        limits
    }
}

/// A request for the newest events.
pub fn newest(page_size: u32) -> PageRequest {
    Ask { page_size, ..Ask::NEWEST }.request()
}

/// All rows, group by group.
pub fn all() -> impl Iterator<Item = &'static Case> {
    [
        audited::CASES,
        time::CASES,
        memory::CASES,
        returns::CASES,
        handles::CASES,
        sql::CASES,
        imports::CASES,
        sums::CASES,
        scratch::CASES,
        behaviour::CASES,
        others::CASES,
    ]
    .into_iter()
    .flatten()
}

/// The row of the strategy `name`.
pub fn find(name: &str) -> Option<&'static Case> {
    all().find(|case| case.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::selftest::zoo;

    #[test]
    fn every_strategy_of_the_zoo_has_a_row_and_every_row_a_strategy() {
        let rows: BTreeSet<&str> = all().map(|case| case.name).collect();
        assert_eq!(rows, zoo::names().collect());
        assert_eq!(rows.len(), all().count(), "a name stands twice");
    }

    #[test]
    fn every_row_says_what_is_expected() {
        for case in all() {
            assert_eq!(case.expected.is_empty(), case.seen == Seen::Harmless, "{}", case.name);
            assert!(case.what.ends_with('.') && case.times > 0, "{}", case.name);
        }
    }
}
