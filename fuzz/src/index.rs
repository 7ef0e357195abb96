//! The keyset strategy's index against a model: late arrivals, refresh slices and page requests in any
//! order, and each page is what sorting all events gives.

mod memory;
mod model;

use std::cell::RefCell;

use guest_keyset::{Filter, Key, PageRequest, Position};

use crate::bytes::Bytes;
use memory::Memory;
use model::{ACTIONS, Event};

/// Events and requests of one input: enough for several levels of buckets, which are narrow here.
const MOST_EVENTS: usize = 120;
const MOST_STEPS: usize = 32;

/// Any bytes as a history of a log and the questions asked meanwhile.
pub fn target(data: &[u8]) {
    let input = Bytes(data);
    thread_local! {
        static MEMORY: RefCell<Memory> = RefCell::new(Memory::new());
    }
    MEMORY.with_borrow_mut(|memory| {
        memory.clear();
        play(memory, input);
    });
}

fn play(memory: &mut Memory, mut input: Bytes<'_>) {
    for _ in 0..MOST_STEPS {
        if input.is_empty() {
            break;
        }
        match input.byte() % 8 {
            0 | 1 => append(memory, &mut input),
            2 => {
                memory.refresh();
            }
            3 => while !memory.refresh().done {},
            _ => compare(memory, &read_request(&mut input)),
        }
    }
    while !memory.refresh().done {}
    let everything = Filter { from_ts: i64::MIN, to_ts: i64::MAX, actor_id: None, action: None };
    for page in 1..=3 {
        let position = Position::Page(page);
        compare(memory, &PageRequest { filter: everything, position, page_size: 50, up_to: None });
    }
}

fn compare(memory: &mut Memory, request: &PageRequest<'_>) {
    let expected = model::page(&memory.events, request);
    assert_eq!(memory.page(request), expected, "{request:?} of {} events", memory.events.len());
}

fn append(memory: &mut Memory, input: &mut Bytes<'_>) {
    for _ in 0..=input.byte() % 32 {
        if memory.events.len() < MOST_EVENTS {
            let created_at = second(input);
            let kind = input.byte();
            let action = ACTIONS[usize::from(kind >> 1) % 2];
            memory.append(Event { created_at, actor_id: 1 + i64::from(kind & 1), action });
        }
    }
}

/// Few seconds, so that ties and windows between them are common; now and then any 64 bits.
fn second(input: &mut Bytes<'_>) -> i64 {
    match input.byte() {
        255 => input.number(),
        254 => i64::MIN,
        253 => i64::MAX,
        byte => i64::from(byte % 32),
    }
}

fn read_request(input: &mut Bytes<'_>) -> PageRequest<'static> {
    let shape = input.byte();
    let (from_ts, to_ts) = if shape & 1 == 0 { (i64::MIN, i64::MAX) } else { (second(input), second(input)) };
    let filter = Filter {
        from_ts,
        to_ts,
        actor_id: (shape & 2 != 0).then(|| i64::from(input.byte() % 4)),
        action: (shape & 4 != 0).then(|| ACTIONS[usize::from(input.byte()) % ACTIONS.len()]),
    };
    let position = match shape >> 3 & 3 {
        0 | 1 => Position::Page(1 + u64::from(input.byte() % 64)),
        2 => Position::Page(input.number().unsigned_abs().max(1)),
        _ => Position::After(Key {
            created_at: second(input),
            id: if shape & 128 == 0 { i64::from(input.byte()) * 3 } else { input.number() },
        }),
    };
    let up_to = (shape & 32 != 0).then(|| i64::from(input.byte()) * 3 - 1);
    let page_size =
        if shape & 64 == 0 { 1 + u32::from(input.byte() % 8) } else { 1 + u32::from(input.byte()) };
    PageRequest { filter, position, page_size, up_to }
}
