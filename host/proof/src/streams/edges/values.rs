//! The values that edge requests are put together from: of this log, beside it, and of no log.

use keyhole_log::dataset::generator::{ACTIONS, ACTORS};
use keyhole_log::model::Key;
use keyhole_log::survey::profile::Profile;

/// A window: its first and its last second.
pub(super) type Window = (i64, i64);

/// In seconds.
pub(super) const DAY: i64 = 24 * 3600;

/// Actions that no log is likely to hold, each to trip another mistake: quoting, patterns, case,
/// comparison by anything but bytes, text that is taken for a number or for NULL.
const ODD_ACTIONS: [&str; 25] = [
    "",
    " ",
    "'",
    "''",
    "\"",
    "LOGIN' OR 1=1 --",
    "\"; DROP TABLE audit_events; --",
    "%",
    "_",
    "LOGI_",
    "LOG%",
    "*",
    "?1",
    "\\",
    "login",
    "Login",
    "LOGIN ",
    "NULL",
    "0",
    "\t\r\n",
    "\u{feff}LOGIN",
    "LOGI\u{4e}\u{301}",
    "ＬＯＧＩＮ",
    "löschen",
    "🗝\u{200d}🕳",
];

/// Pages from the first to the last that can be asked for. Times 10, two of them skip a few events
/// more than 2^63 and 2^64: a product that wraps comes out negative or small.
pub(super) const PAGES: [u64; 12] = [
    1,
    2,
    3,
    1000,
    2000,
    u32::MAX as u64,
    u32::MAX as u64 + 2,
    (1 << 63) / 10 + 2,
    u64::MAX / 10 + 2,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX,
];

/// Windows around, inside and beside the log, and inverted ones.
pub(super) fn windows(profile: &Profile, middle: i64) -> Vec<Window> {
    let &Profile { oldest, newest, .. } = profile;
    vec![
        // All of it.
        (oldest, newest),
        (i64::MIN, i64::MAX),
        (0, i64::MAX),
        // Inverted: no event, whatever lies between.
        (newest, oldest),
        (i64::MAX, i64::MIN),
        (middle.saturating_add(1), middle),
        (newest.saturating_add(1), newest),
        // One second.
        (oldest, oldest),
        (newest, newest),
        (middle, middle),
        (i64::MIN, i64::MIN),
        (i64::MAX, i64::MAX),
        (0, 0),
        // Beside the log, and up to its edge.
        (i64::MIN, oldest.saturating_sub(1)),
        (i64::MIN, oldest),
        (newest, i64::MAX),
        (newest.saturating_add(1), i64::MAX),
        (oldest.saturating_add(1), newest.saturating_sub(1)),
        // Parts.
        (middle, newest),
        (oldest, middle),
        (newest.saturating_sub(3600), newest),
        (middle, middle.saturating_add(DAY)),
    ]
}

/// Actors of the log first, then such as it does not know.
pub(super) fn actors(profile: &Profile) -> Vec<i64> {
    let known = &profile.actors;
    let places = [known.len() / 2, 0, known.len().saturating_sub(1)];
    let mut actors: Vec<i64> = places.iter().filter_map(|&place| known.get(place).copied()).collect();
    let largest = known.last().copied().unwrap_or(ACTORS);
    actors.extend([
        largest.saturating_add(1),
        0,
        -1,
        // Two neighbours that are one number to whoever keeps them as doubles.
        (1 << 53) + 1,
        1 << 53,
        i64::from(u32::MAX) + 2,
        i64::MAX,
        i64::MIN,
    ]);
    actors
}

/// Actions of the log first, then others.
pub(super) fn actions(profile: &Profile) -> Vec<String> {
    let mut actions: Vec<String> = profile.actions.iter().take(20).cloned().collect();
    if let Some(known) = actions.first().cloned() {
        actions.extend([
            known.to_lowercase(),
            known.to_uppercase(),
            format!("{known} "),
            format!("{known}%"),
            known.chars().skip(1).collect(),
        ]);
    } else {
        actions.push(ACTIONS[0].to_owned());
    }
    actions.extend(ODD_ACTIONS.map(str::to_owned));
    actions.push("x".repeat(1000));
    actions
}

/// Keys of events and of none, inside the log and beyond both its ends.
pub(super) fn keys(profile: &Profile, middle: i64) -> Vec<Key> {
    let &Profile { oldest, newest, high_water, .. } = profile;
    [
        (newest.saturating_add(1), 0),
        (newest, i64::MAX),
        (newest, high_water / 2),
        (newest, i64::MIN),
        (middle, i64::MAX),
        (middle, high_water / 2),
        (middle, -1),
        (oldest, i64::MAX),
        (oldest, 0),
        (oldest.saturating_sub(1), i64::MAX),
        (0, 0),
        (i64::MAX, i64::MAX),
        (i64::MAX, i64::MIN),
        (i64::MIN, i64::MAX),
        (i64::MIN, i64::MIN),
    ]
    .map(|(created_at, id)| Key { created_at, id })
    .into()
}

/// Bounds of an id: in the middle of the log first, then at its end, before it and beyond it.
pub(super) fn bounds(high_water: i64) -> Vec<i64> {
    vec![
        high_water / 2,
        high_water.saturating_sub(1),
        high_water,
        high_water.saturating_add(1),
        1,
        0,
        -1,
        i64::MAX,
        i64::MIN,
    ]
}
