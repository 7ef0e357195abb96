//! From a page request to the one statement that answers it.

/// A page request over plain types. Both ends of the window are inclusive.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// First second of the window.
    pub from_ts: i64,
    /// Last second of the window.
    pub to_ts: i64,
    /// Only events of this actor.
    pub actor_id: Option<i64>,
    /// Only events of this action, equal byte for byte.
    pub action: Option<&'a str>,
    /// Where the page starts.
    pub position: Position,
    /// How many events at most.
    pub page_size: u32,
    /// The largest id that may appear.
    pub up_to: Option<i64>,
}

/// Where a page starts among the events that match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Page n, from 1.
    Page(u64),
    /// After this place in the order.
    After {
        /// Unix seconds.
        created_at: i64,
        /// The event's number.
        id: i64,
    },
}

/// A parameter of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param<'a> {
    /// A 64-bit integer.
    Integer(i64),
    /// Text.
    Text(&'a str),
}

/// A statement and its parameters, in the order of its question marks. Its one column is `id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<'a> {
    /// The statement's text.
    pub sql: String,
    /// What to bind.
    pub params: Vec<Param<'a>>,
}

/// The statement that returns the ids of the page's events, in order.
pub fn plan<'a>(request: &Request<'a>) -> Plan<'a> {
    let mut sql = String::from("SELECT id FROM audit_events WHERE created_at >= ? AND created_at <= ?");
    let mut params = vec![Param::Integer(request.from_ts), Param::Integer(request.to_ts)];
    if let Some(actor_id) = request.actor_id {
        sql.push_str(" AND actor_id = ?");
        params.push(Param::Integer(actor_id));
    }
    if let Some(action) = request.action {
        sql.push_str(" AND action = ?");
        params.push(Param::Text(action));
    }
    if let Some(up_to) = request.up_to {
        sql.push_str(" AND id <= ?");
        params.push(Param::Integer(up_to));
    }
    let offset = match request.position {
        Position::Page(page) => offset(page, request.page_size),
        Position::After { created_at, id } => {
            sql.push_str(" AND (created_at, id) < (?, ?)");
            params.extend([Param::Integer(created_at), Param::Integer(id)]);
            0
        }
    };
    sql.push_str(" ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?");
    params.extend([Param::Integer(i64::from(request.page_size)), Param::Integer(offset)]);
    Plan { sql, params }
}

/// How many events lie before page n. No log has more events than the largest OFFSET that a
/// statement can bind, so a larger product means the same: past the end.
fn offset(page: u64, page_size: u32) -> i64 {
    let skipped = page.saturating_sub(1).saturating_mul(u64::from(page_size));
    i64::try_from(skipped).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Param, Position, Request, plan};

    const WINDOW: Request<'static> = Request {
        from_ts: 10,
        to_ts: 20,
        actor_id: None,
        action: None,
        position: Position::Page(3),
        page_size: 50,
        up_to: None,
    };

    #[test]
    fn a_window_alone_is_asked_for_with_limit_and_offset() {
        let plan = plan(&WINDOW);
        assert_eq!(
            plan.sql,
            "SELECT id FROM audit_events WHERE created_at >= ? AND created_at <= ? \
             ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?"
        );
        assert_eq!(plan.params, [10, 20, 50, 100].map(Param::Integer));
    }

    #[test]
    fn every_condition_binds_its_own_parameters_in_order() {
        let plan = plan(&Request {
            actor_id: Some(7),
            action: Some("LOGIN"),
            position: Position::After { created_at: 15, id: 99 },
            up_to: Some(1000),
            ..WINDOW
        });
        assert_eq!(
            plan.sql,
            "SELECT id FROM audit_events WHERE created_at >= ? AND created_at <= ? \
             AND actor_id = ? AND action = ? AND id <= ? AND (created_at, id) < (?, ?) \
             ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?"
        );
        let mut expected = [10, 20, 7, 0, 1000, 15, 99, 50, 0].map(Param::Integer);
        expected[3] = Param::Text("LOGIN");
        assert_eq!(plan.params, expected);
    }

    #[test]
    fn the_offset_saturates_where_the_product_leaves_64_bits() {
        for (page, page_size, expected) in [
            (0, 50, 0),
            (1, 50, 0),
            (u64::MAX, 1, i64::MAX),
            (u64::MAX, u32::MAX, i64::MAX),
            (1 << 63, 1, i64::MAX),
        ] {
            let request = Request { position: Position::Page(page), page_size, ..WINDOW };
            assert_eq!(plan(&request).params.last(), Some(&Param::Integer(expected)), "{page}");
        }
    }
}
