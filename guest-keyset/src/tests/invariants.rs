//! What must hold of the tables after every slice, whatever was taken in.

use std::collections::BTreeMap;

use super::model::Event;
use super::sqlite::{Phase, Sqlite};
use crate::Key;
use crate::tables::MAX_CHILDREN;

struct Bucket {
    low: Key,
    n: i64,
    fanout: i64,
}

/// The keys of each series in ascending order, by actor and action.
type Series = BTreeMap<(Option<i64>, Option<String>), Vec<Key>>;

fn expected(events: &[Event]) -> Series {
    let mut series = Series::new();
    for (id, event) in (1..).zip(events) {
        for actor in [None, Some(event.actor_id)] {
            for action in [None, Some(event.action.to_owned())] {
                series.entry((actor, action)).or_default().push(Key { created_at: event.created_at, id });
            }
        }
    }
    for keys in series.values_mut() {
        keys.sort();
    }
    series
}

/// Checks every table against the covered events.
pub(super) fn check(sqlite: &mut Sqlite, covered: i64) {
    sqlite.enter(Phase::Setup);
    let covered = usize::try_from(covered).unwrap();
    let expected = expected(&sqlite.events[..covered]);
    let mut statement = sqlite
        .connection
        .prepare_cached("SELECT actor_id, action, series, n, height, oldest, newest FROM scratch.series")
        .unwrap();
    let found = statement
        .query_map([], |row| {
            let name = (row.get(0)?, row.get(1)?);
            let numbers: [i64; 5] = [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?];
            Ok((name, numbers))
        })
        .unwrap();
    let mut seen = 0;
    for row in found {
        let (name, [series, n, height, oldest, newest]) = row.unwrap();
        let keys = &expected[&name];
        assert_eq!(keys.len(), usize::try_from(n).unwrap(), "{name:?}");
        assert_eq!(keys.first().unwrap().created_at, oldest, "{name:?}");
        assert_eq!(keys.last().unwrap().created_at, newest, "{name:?}");
        let stored = sqlite.integers(&format!(
            "SELECT created_at, id FROM scratch.keys WHERE series = {series} ORDER BY 1, 2"
        ));
        let stored: Vec<Key> = stored.iter().map(|row| Key { created_at: row[0], id: row[1] }).collect();
        assert_eq!(&stored, keys, "{name:?}");
        check_buckets(sqlite, series, height, keys);
        seen += 1;
    }
    assert_eq!(seen, expected.len());
    let keys = sqlite.integers("SELECT count(*) FROM scratch.keys");
    assert_eq!(keys, [[4 * i64::try_from(covered).unwrap()]]);
}

fn check_buckets(sqlite: &Sqlite, series: i64, height: i64, keys: &[Key]) {
    let levels = sqlite
        .integers(&format!("SELECT DISTINCT level FROM scratch.buckets WHERE series = {series} ORDER BY 1"));
    let levels: Vec<i64> = levels.iter().map(|row| row[0]).collect();
    assert_eq!(levels, (1..=height).collect::<Vec<_>>());

    // Each level's children, as their lowest keys and how many keys each covers.
    let mut children: Vec<(Key, i64)> = keys.iter().map(|key| (*key, 1)).collect();
    for level in levels {
        let buckets = buckets(sqlite, series, level);
        assert_eq!(buckets[0].low, Key::MIN);
        for (at, bucket) in buckets.iter().enumerate() {
            let end = buckets.get(at + 1).map(|next| next.low);
            let covered =
                children.iter().filter(|(low, _)| bucket.low <= *low && end.is_none_or(|end| *low < end));
            let (fanout, n) = covered.fold((0, 0), |(fanout, n), child| (fanout + 1, n + child.1));
            assert_eq!((bucket.fanout, bucket.n), (fanout, n));
            assert!((1..=i64::from(MAX_CHILDREN)).contains(&fanout));
        }
        children = buckets.iter().map(|bucket| (bucket.low, bucket.n)).collect();
    }
    assert!(children.len() <= MAX_CHILDREN as usize);
}

fn buckets(sqlite: &Sqlite, series: i64, level: i64) -> Vec<Bucket> {
    let rows = sqlite.integers(&format!(
        "SELECT created_at, id, n, fanout FROM scratch.buckets
        WHERE series = {series} AND level = {level} ORDER BY 1, 2"
    ));
    rows.iter()
        .map(|row| Bucket { low: Key { created_at: row[0], id: row[1] }, n: row[2], fanout: row[3] })
        .collect()
}
