//! One instance of a component: its store, and calls into it under the request's budget.

use std::time::{Duration, Instant};

use wasmtime::component::Resource;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap, UpdateDeadline};

use crate::bindings::{EventHandle, indexing, paging, types};
use crate::compilation::one_line;
use crate::engine::{Engine, TICK};
use crate::memory::GuestMemory;
use crate::state::State;
use crate::strategy::Compiled;
use keyhole_log::error::{Error, LIMIT};
use keyhole_log::limits::Limits;
use keyhole_log::model::{PageRequest, Position};
use keyhole_log::session::Session;

/// A running component. After any error it must be dropped: a trap leaves it in no known state.
pub(crate) struct Instance {
    store: Store<State>,
    paging: paging::Guest,
    indexing: Option<indexing::Guest>,
    /// Requests served.
    pub(crate) uses: u32,
}

impl Instance {
    /// Makes an instance. The session is in place already, so that even a start function runs inside
    /// the budget; it comes back with the error if that fails.
    pub(crate) fn new(
        engine: &Engine,
        compiled: &Compiled,
        session: Box<Session>,
    ) -> Result<Self, (Error, Option<Box<Session>>)> {
        let limits = session.limits();
        let memory = GuestMemory::new(limits);
        let fuel = engine.ceilings().fuel.then_some(limits.fuel);
        let host_call_bytes = usize::try_from(limits.host_call_bytes).unwrap_or(usize::MAX);
        let component_handles = usize::try_from(limits.component_handles).unwrap_or(usize::MAX);
        let state = State {
            session: Some(session),
            memory,
            fuel,
            began: Instant::now(),
            in_host: Duration::ZERO,
            wasi: None,
        };
        let mut store = Store::new(engine.wasmtime(), state);
        refuel(&mut store);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(host_call_bytes);
        store.set_max_component_handles(component_handles);
        store.epoch_deadline_callback(|context| {
            let state = context.data();
            let guest_time = state.began.elapsed().saturating_sub(state.in_host);
            let Some(session) = &state.session else { return Ok(UpdateDeadline::Interrupt) };
            let limits = session.limits();
            // A statement is cut when the lock's time is up; this is for a strategy that goes on all
            // the same, by host calls that run none. The tick more keeps the two apart.
            let over = guest_time >= limits.guest_time
                || session.locked_for() >= limits.log_lock + TICK
                || state.began.elapsed() >= limits.wall_time
                || keyhole_log::interrupt::requested()
                || session.cancelled();
            Ok(if over { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(1) })
        });
        store.set_epoch_deadline(1);
        let load = |store: &mut Store<State>| -> wasmtime::Result<(paging::Guest, Option<indexing::Guest>)> {
            let instance = compiled.pre.instantiate(&mut *store)?;
            let paging = compiled.paging.load(&mut *store, &instance)?;
            let indexing =
                compiled.indexing.as_ref().map(|indices| indices.load(&mut *store, &instance)).transpose()?;
            Ok((paging, indexing))
        };
        match load(&mut store) {
            Ok((paging, indexing)) => Ok(Self { store, paging, indexing, uses: 0 }),
            Err(error) => {
                let error = trapped(store.data_mut(), &error);
                Err((error, settled(&mut store)))
            }
        }
    }

    /// Puts a session in place for the next call of a warm instance.
    pub(crate) fn resume(&mut self, session: Box<Session>) {
        let state = self.store.data_mut();
        state.session = Some(session);
        state.began = Instant::now();
        state.in_host = Duration::ZERO;
        state.memory.begin_call();
        refuel(&mut self.store);
        self.store.set_epoch_deadline(1);
    }

    /// Asks for a page. Returns the ids that the strategy claims.
    pub(crate) fn page(&mut self, request: &PageRequest) -> Result<Vec<i64>, Error> {
        self.uses += 1;
        let request = wit_request(request);
        let answer = self.paging.call_page(&mut self.store, &request);
        let events = self.settle(answer)?;
        let Some(session) = &self.store.data().session else {
            return Err(Error::Engine("the session went missing".to_owned()));
        };
        events
            .into_iter()
            .map(|event: Resource<EventHandle>| {
                session.claimed(event.rep()).ok_or(Error::BadHandle { what: "a handle of another call" })
            })
            .collect()
    }

    /// Asks for one slice of a refresh.
    pub(crate) fn refresh(&mut self, through: i64) -> Result<indexing::Progress, Error> {
        let Some(indexing) = &self.indexing else {
            return Err(Error::Engine("a strategy without an index has nothing to refresh".to_owned()));
        };
        let answer = indexing.call_refresh(&mut self.store, through);
        self.settle(answer)
    }

    /// Takes the session back after a call.
    pub(crate) fn release(&mut self) -> Option<Box<Session>> {
        settled(&mut self.store)
    }

    /// What came of a call: the guest's answer, its error, or a trap.
    fn settle<T>(&mut self, answer: wasmtime::Result<Result<T, types::Error>>) -> Result<T, Error> {
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(gave_up(self.store.data_mut(), &error)),
            Err(error) => Err(trapped(self.store.data_mut(), &error)),
        }
    }
}

/// Fills the tank for one call, where the engine counts fuel.
fn refuel(store: &mut Store<State>) {
    if let Some(fuel) = store.data().fuel {
        // Refused only by an engine that counts none.
        let _ = store.set_fuel(fuel);
    }
}

/// The session, with what the call used in its ledger.
fn settled(store: &mut Store<State>) -> Option<Box<Session>> {
    // Asked of an engine that counts none, it answers with an error, which costs a walk of the stack.
    let left = store.data().fuel.and_then(|_| store.get_fuel().ok());
    let state = store.data_mut();
    let time = state.began.elapsed();
    state.keep_output();
    let mut session = state.session.take()?;
    session.ledger.memory = state.memory.peak();
    // A strategy may do without the memory that it was refused: that it asked is seen all the same.
    if let Some(limit) = state.memory.refused() {
        session.ledger.denied(LIMIT, limit);
    }
    session.ledger.fuel = state.fuel.zip(left).map(|(fuel, left)| fuel.saturating_sub(left));
    session.ledger.phases.strategy = time;
    session.ledger.phases.host_calls = state.in_host;
    Some(session)
}

/// The guest's error: the host's own record of it where it is one that the host gave. A payload that the host holds for
/// JSON may still be beyond a guest's decoder; whether it is, the host sees for itself.
fn gave_up(state: &mut State, error: &types::Error) -> Error {
    let recorded = state.session.as_mut().and_then(|session| session.refused.take());
    match (recorded, error, &state.session) {
        (Some(recorded), _, _) if same(&crate::imports::visible(&recorded), error) => Some(recorded),
        (_, types::Error::PayloadCorrupt(id), Some(session)) => session.undecodable(*id),
        _ => None,
    }
    .unwrap_or_else(|| Error::GaveUp { what: escaped(&error.to_string()) })
}

fn same(one: &types::Error, other: &types::Error) -> bool {
    format!("{one:?}") == format!("{other:?}")
}

/// Why a call ended without an answer: the limit that ended it where there is one, else the trap.
fn trapped(state: &mut State, error: &wasmtime::Error) -> Error {
    state.keep_output();
    let limits = state.session.as_ref().map_or_else(Limits::default, |session| session.limits().clone());
    let trap = error.downcast_ref::<Trap>();
    match trap {
        Some(Trap::Interrupt) if keyhole_log::interrupt::requested() => return Error::Interrupted,
        Some(Trap::Interrupt) if state.session.as_ref().is_some_and(|session| session.cancelled()) => {
            return Error::Cancelled;
        }
        Some(Trap::Interrupt) => {
            let (limit, allowed) = if state.began.elapsed().saturating_sub(state.in_host) >= limits.guest_time
            {
                ("guest_time", limits.guest_time)
            } else if state.session.as_ref().is_some_and(|session| session.locked_for() >= limits.log_lock) {
                ("log_lock", limits.log_lock)
            } else {
                ("wall_time", limits.wall_time)
            };
            return Error::Budget { limit, allowed: u64::try_from(allowed.as_millis()).unwrap_or(u64::MAX) };
        }
        Some(Trap::OutOfFuel) => return Error::Budget { limit: "fuel", allowed: limits.fuel },
        Some(Trap::StackOverflow) => return Error::Budget { limit: "stack", allowed: 512 << 10 },
        _ => {}
    }
    let recorded = state.session.as_ref().and_then(|session| session.refused.as_ref());
    if let (None, Some(Error::BadHandle { what })) = (trap, recorded) {
        return Error::BadHandle { what };
    }
    // A refused growth fails at once in an honest program, by whatever trap its compiler chose.
    if let Some(limit) = state.memory.refused() {
        let allowed = if limit == "memory" { limits.memory } else { limits.table_elements };
        return Error::Budget { limit, allowed };
    }
    let what = one_line(error);
    if error.is::<PoolConcurrencyLimitError>() {
        return Error::Engine(what);
    }
    if trap.is_none()
        && let Some(error) = limit_of_engine(&format!("{error:#}"), &limits)
    {
        return error;
    }
    Error::Trapped {
        what: trap.map_or_else(|| escaped(&what), ToString::to_string),
        note: state.session.as_ref().map(|session| session.ledger.notes().to_owned()).unwrap_or_default(),
    }
}

/// The limits of the engine's own that it tells by their text alone, as errors of no type.
fn limit_of_engine(text: &str, limits: &Limits) -> Option<Error> {
    let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
    if says(&["fuel allocated for hostcalls", "pointer/length out of bounds", "byte length too large"]) {
        return Some(Error::Budget { limit: "host_call_bytes", allowed: limits.host_call_bytes });
    }
    if says(&["store handle limit exceeded"]) {
        return Some(Error::Budget {
            limit: "component_handles",
            allowed: u64::from(limits.component_handles),
        });
    }
    if says(&["unknown handle index", "is not a resource", "is not an own resource", "handles still remain"])
        || says(&[
            "while borrowed",
            "resource from a borrow",
            "already de-allocated",
            "resource type mismatch",
        ])
    {
        return Some(Error::BadHandle { what: "a handle that it does not hold" });
    }
    None
}

/// Text from a guest, fit to be shown: one line, without control characters, and short.
fn escaped(text: &str) -> String {
    text.chars()
        .take(500)
        .flat_map(|character| {
            if character.is_control() {
                character.escape_default().collect::<Vec<_>>()
            } else {
                vec![character]
            }
        })
        .collect()
}

fn wit_request(request: &PageRequest) -> types::PageRequest {
    types::PageRequest {
        filter: types::Filter {
            from_ts: request.filter.from_ts,
            to_ts: request.filter.to_ts,
            actor_id: request.filter.actor_id,
            action: request.filter.action.clone(),
        },
        position: match request.position {
            Position::Page(page) => types::Position::Page(page),
            Position::After(key) => {
                types::Position::After(types::Key { created_at: key.created_at, id: key.id })
            }
        },
        page_size: request.page_size,
        up_to: request.up_to,
    }
}
