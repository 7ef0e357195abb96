//! Cursors: one that was minted comes back whole; any other text, or any other filter, is refused.

use std::sync::OnceLock;

use keyhole_log::model::{Filter, Key};

use keyhole_runtime::page::Cursors;

use crate::bytes::Bytes;
use crate::request::open_cursors;

/// Mints a cursor, then takes the rest of the input as changes to it, and as a cursor by itself.
pub fn target(data: &[u8]) {
    static CURSORS: OnceLock<Cursors> = OnceLock::new();
    let cursors = CURSORS.get_or_init(|| open_cursors("cursor"));
    let mut input = Bytes(data);
    let key = Key { created_at: input.number(), id: input.number() };
    let up_to = input.number();
    let filter = read_filter(&mut input);
    let cursor = cursors.mint(key, up_to, &filter);
    assert_eq!(cursors.read(&cursor, &filter).unwrap(), (key, up_to));

    let other = read_filter(&mut input);
    assert_eq!(cursors.read(&cursor, &other).is_ok(), filter == other, "{filter:?} {other:?}");

    let rest = input.0;
    if let Ok(text) = std::str::from_utf8(rest) {
        assert!(cursors.read(text, &filter).is_err(), "{text:?} was not minted");
    }
    for changed in changes(&cursor, input) {
        assert_eq!(cursors.read(&changed, &filter).is_ok(), changed == cursor, "{changed} from {cursor}");
    }
}

fn read_filter(input: &mut Bytes<'_>) -> Filter {
    let shape = input.byte();
    let number =
        |input: &mut Bytes<'_>| if shape & 1 == 0 { i64::from(input.byte()) } else { input.number() };
    Filter {
        from_ts: number(input),
        to_ts: number(input),
        actor_id: (shape & 2 != 0).then(|| number(input)),
        action: (shape & 4 != 0).then(|| (0..input.byte() % 8).map(|_| char::from(input.byte())).collect()),
    }
}

/// The cursor with characters replaced, put in, or cut off.
fn changes(cursor: &str, mut input: Bytes<'_>) -> Vec<String> {
    let mut changed = vec![cursor.to_owned()];
    while !input.is_empty() && changed.len() < 32 {
        let kind = input.byte();
        let mut letters: Vec<char> = changed.last().unwrap().chars().collect();
        let place = usize::from(input.byte()) % (letters.len() + 1);
        let letter = char::from(input.byte());
        match kind % 4 {
            0 => letters.truncate(place),
            1 => letters.insert(place, letter),
            2 => letters.extend([letter]),
            _ => {
                if let Some(old) = letters.get_mut(place) {
                    *old = letter;
                }
            }
        }
        changed.push(letters.into_iter().collect());
    }
    changed
}
