//! The first fill: whole tables at once, in the speed of SQLite itself, a table or level a slice.

use crate::arrivals::insert_keys;
use crate::host::{Param, Writer};
use crate::request::Key;
use crate::tables::{FAMILIES, FULL, MAX_CHILDREN, State};

#[expect(clippy::cast_possible_wrap, reason = "there are four")]
const FAMILY_STEPS: i64 = FAMILIES.len() as i64;

/// The events are grouped once; the other families are sums over the result.
const PAIRS: &str = "INSERT INTO scratch.series (actor_id, action, n, height, oldest, newest)
    SELECT actor_id, action, count(*), 0, min(created_at), max(created_at)
    FROM feed.events WHERE id <= ?1 GROUP BY actor_id, action";

const ACTORS: &str = "INSERT INTO scratch.series (actor_id, action, n, height, oldest, newest)
    SELECT actor_id, NULL, sum(n), 0, min(oldest), max(newest)
    FROM scratch.series WHERE actor_id IS NOT NULL AND action IS NOT NULL GROUP BY actor_id";

const ACTIONS: &str = "INSERT INTO scratch.series (actor_id, action, n, height, oldest, newest)
    SELECT NULL, action, sum(n), 0, min(oldest), max(newest)
    FROM scratch.series WHERE actor_id IS NOT NULL AND action IS NOT NULL GROUP BY action";

const ALL: &str = "INSERT INTO scratch.series (actor_id, action, n, height, oldest, newest)
    SELECT NULL, NULL, sum(n), 0, min(oldest), max(newest)
    FROM scratch.series WHERE actor_id IS NULL AND action IS NOT NULL HAVING count(*) > 0";

/// Does the next step of the fill; the last one covers what was filled. Until then `covered` stays
/// 0, and no page uses what there is.
pub(crate) fn step<W: Writer>(writer: &mut W, state: &mut State, through: i64) -> Result<(), W::Error> {
    if state.step == 0 {
        state.filling = through;
        writer.execute(PAIRS, &[Param::Integer(through)])?;
        for family in [ACTORS, ACTIONS, ALL] {
            writer.execute(family, &[])?;
        }
    } else if let Some((_, family)) = (1..).zip(FAMILIES).find(|(step, _)| *step == state.step) {
        insert_keys(writer, family, i64::MIN, state.filling)?;
    } else {
        let level = state.step - FAMILY_STEPS;
        if !build_level(writer, level)? {
            *state = State { covered: state.filling, filling: 0, step: 0 };
            return Ok(());
        }
    }
    state.step += 1;
    Ok(())
}

/// Builds one level of buckets over every series whose level below is too wide for a top level.
/// Returns whether there was one.
///
/// All buckets but the last of each series are full, so a bucket's counts follow from its number.
/// The children's number, from 1, is `r`; each of them covers ?4 keys.
fn build_level<W: Writer>(writer: &mut W, level: i64) -> Result<bool, W::Error> {
    let child_span = (1..level).fold(1_i64, |span, _| span.saturating_mul(FULL.into()));
    let too_short = child_span.saturating_mul(MAX_CHILDREN.into());
    let children = if level == 1 {
        "scratch.keys AS c ON c.series = s.series"
    } else {
        "scratch.buckets AS c ON c.series = s.series AND c.level = ?1 - 1"
    };
    let sql = format!(
        "INSERT INTO scratch.buckets (series, level, created_at, id, n, fanout)
        SELECT series, ?1,
            CASE r WHEN 1 THEN ?2 ELSE created_at END, CASE r WHEN 1 THEN ?3 ELSE id END,
            min(?4 * ?5, n - (r - 1) * ?4), min(?5, (n + ?4 - 1) / ?4 - (r - 1))
        FROM (
            SELECT s.series, s.n, c.created_at, c.id,
                row_number() OVER (PARTITION BY s.series ORDER BY c.created_at, c.id) AS r
            FROM scratch.series AS s CROSS JOIN {children} WHERE s.n > ?6
        )
        WHERE r % ?5 = 1"
    );
    let params = [level, Key::MIN.created_at, Key::MIN.id, child_span, FULL.into(), too_short];
    let built = writer.execute(&sql, &params.map(Param::Integer))?;
    let params = [level, too_short].map(Param::Integer);
    writer.execute("UPDATE scratch.series SET height = ?1 WHERE n > ?2", &params)?;
    Ok(built > 0)
}
