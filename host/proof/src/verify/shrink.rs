//! From a request that differs to the smallest one that still does.

use super::sides::{Case, Judged, Sides};
use keyhole_log::error::Error;
use keyhole_log::model::{Filter, PageRequest, Position};

/// How many requests a shrink may send. Enough for a few rounds of every step; on the largest logs a
/// request of the baseline takes a second or two.
pub const TRIES: u32 = 400;

/// Makes a request smaller: each gives candidates, the boldest first, all smaller than the request.
type Step = fn(&Case) -> Vec<PageRequest>;

const STEPS: [Step; 6] =
    [from_where_it_starts, fewer_filters, without_bound, earlier_page, smaller_page, narrower_window];

/// Shrinks as long as the sides still differ in the same manner: by a wrong page, or by the same
/// failure of the subject. Greedy and deterministic; sends at most `tries` requests to each side.
/// None where nothing smaller differs.
///
/// Errors: `Interrupted` alone. A candidate that cannot be compared is passed over.
pub fn shrink(found: &Case, sides: &mut Sides<'_>, tries: u32) -> Result<Option<Case>, Error> {
    let mut smallest = None;
    let mut left = tries;
    loop {
        let mut shrunk = false;
        for step in STEPS {
            while let Some(smaller) =
                first_that_differs(step, smallest.as_ref().unwrap_or(found), sides, &mut left)?
            {
                smallest = Some(smaller);
                shrunk = true;
            }
        }
        if !shrunk || left == 0 {
            return Ok(smallest);
        }
    }
}

fn first_that_differs(
    step: Step,
    case: &Case,
    sides: &mut Sides<'_>,
    left: &mut u32,
) -> Result<Option<Case>, Error> {
    for candidate in step(case) {
        if candidate == case.request {
            continue;
        }
        if *left == 0 {
            break;
        }
        *left -= 1;
        match sides.judge(&candidate) {
            Ok(Judged::Differs(found)) if same_manner(case, &found) => return Ok(Some(*found)),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            _ => {}
        }
    }
    Ok(None)
}

/// A smaller request that trips over something else would prove something else. A wrong page that
/// the host refuses is still the same wrong page.
fn same_manner(one: &Case, other: &Case) -> bool {
    match (&one.subject, &other.subject) {
        (Ok(_), Ok(_) | Err(Error::Lied { .. })) => true,
        (Err(Error::Lied { kind: one, .. }), Err(Error::Lied { kind: other, .. })) => one == other,
        (Err(one), Err(other)) => one.code() == other.code(),
        _ => false,
    }
}

/// Page 1 of the window that begins where the page begins.
fn from_where_it_starts(case: &Case) -> Vec<PageRequest> {
    let request = &case.request;
    let starts = match request.position {
        Position::Page(1) => None,
        Position::Page(_) => case.reference.events().next().map(|event| event.created_at),
        Position::After(key) => Some(key.created_at),
    };
    let smaller =
        starts.map(|to_ts| PageRequest { position: Position::Page(1), ..within(request, i64::MIN, to_ts) });
    smaller.into_iter().collect()
}

fn fewer_filters(case: &Case) -> Vec<PageRequest> {
    let request = &case.request;
    let with = |filter: Filter| PageRequest { filter, ..request.clone() };
    vec![
        with(Filter { actor_id: None, action: None, ..request.filter.clone() }),
        with(Filter { actor_id: None, ..request.filter.clone() }),
        with(Filter { action: None, ..request.filter.clone() }),
    ]
}

fn without_bound(case: &Case) -> Vec<PageRequest> {
    vec![PageRequest { up_to: None, ..case.request.clone() }]
}

fn earlier_page(case: &Case) -> Vec<PageRequest> {
    let pages = match case.request.position {
        Position::Page(page) => vec![1, page.div_ceil(2), page.saturating_sub(1).max(1)],
        Position::After(_) => vec![1],
    };
    let at = |page| PageRequest { position: Position::Page(page), ..case.request.clone() };
    pages.into_iter().map(at).collect()
}

fn smaller_page(case: &Case) -> Vec<PageRequest> {
    let size = case.request.page_size;
    let of = |page_size| PageRequest { page_size, ..case.request.clone() };
    [1, size.div_ceil(2), size.saturating_sub(1).max(1)].map(of).to_vec()
}

/// Down to the seconds that both pages span, then by halves, then by quarters.
fn narrower_window(case: &Case) -> Vec<PageRequest> {
    let request = &case.request;
    let Filter { from_ts, to_ts, .. } = request.filter;
    if from_ts >= to_ts {
        return Vec::new();
    }
    let mut candidates = Vec::new();
    let pages = case.subject.iter().chain([&case.reference]);
    let shown: Vec<i64> = pages.flat_map(|page| page.events().map(|event| event.created_at)).collect();
    if let (Some(oldest), Some(newest)) = (shown.iter().min(), shown.iter().max()) {
        candidates.push(within(request, *oldest, *newest));
        candidates.push(within(request, from_ts, *newest));
        candidates.push(within(request, *oldest, to_ts));
    }
    let middle = i64::midpoint(from_ts, to_ts);
    let first_quarter = i64::midpoint(from_ts, middle);
    let last_quarter = i64::midpoint(middle, to_ts);
    candidates.push(within(request, from_ts, middle));
    candidates.push(within(request, middle.saturating_add(1), to_ts));
    candidates.push(within(request, from_ts, last_quarter));
    candidates.push(within(request, first_quarter.saturating_add(1), to_ts));
    candidates
}

fn within(request: &PageRequest, from_ts: i64, to_ts: i64) -> PageRequest {
    PageRequest {
        filter: Filter {
            from_ts: request.filter.from_ts.max(from_ts),
            to_ts: request.filter.to_ts.min(to_ts),
            ..request.filter.clone()
        },
        ..request.clone()
    }
}
