//! What an operator may order over the admin socket, and what is answered: plain data that the command line
//! and the socket's handler share.

use serde::{Deserialize, Serialize};

use crate::status::{Liar, Staged, Standing, State, Swap};

/// The path of every order on the admin socket: `POST`, with the order as JSON.
pub const PATH: &str = "/v1/strategy";

/// One order of an operator's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Order {
    /// Says what serves and what is on its way.
    List,
    /// Takes a strategy in: it is checked before this is answered, then indexed and proven.
    Stage {
        /// A component's absolute path, or the name of a strategy that the binary or the policy knows.
        strategy: String,
        /// The name that it will have, of a stanza of the policy's. As `strategy`, if that is a name.
        name: Option<String>,
        /// Who orders it.
        by: Option<String>,
    },
    /// Compares a proven strategy with the active one on live requests.
    Shadow {
        /// The strategy.
        name: String,
        /// The share of live requests, above 0 and at most 1.
        share: f64,
        /// How many are to be compared.
        requests: u64,
        /// Who orders it.
        by: Option<String>,
    },
    /// Makes a strategy that is ready, or served before in good standing, the active one.
    Promote {
        /// The strategy.
        name: String,
        /// Only if it is this staging of it: [`Staged::revision`].
        revision: Option<u64>,
        /// Who orders it.
        by: Option<String>,
    },
    /// Makes the one that served before the active one again.
    Rollback {
        /// Who orders it.
        by: Option<String>,
    },
    /// Lets go of a strategy that does not serve, once it has answered what it began.
    Drain {
        /// The strategy.
        name: String,
        /// Who orders it.
        by: Option<String>,
    },
    /// Lets a proven liar be staged again.
    Pardon {
        /// The digest of its component, or the first digits of it.
        digest: String,
        /// Who orders it.
        by: Option<String>,
    },
}

/// The answer to an order that was carried out. One that was not is answered with a problem.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Done {
    /// To `list`.
    List(Box<State>),
    /// To `stage` and `shadow`: the strategy as it is now.
    Staged(Box<Staged>),
    /// To `promote` and `rollback`.
    Swapped(Swap),
    /// To `drain`: the strategy as it was last.
    Drained(Box<Standing>),
    /// To `pardon`: what it was known for.
    Pardoned(Box<Liar>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_is_written_and_no_other_field_is() {
        let order = Order::Shadow { name: "fast".to_owned(), share: 0.5, requests: 7, by: None };
        let text = serde_json::to_string(&order).unwrap();
        assert_eq!(serde_json::from_str::<Order>(&text).unwrap(), order);
        assert_eq!(serde_json::from_str::<Order>(r#"{"verb":"list"}"#).unwrap(), Order::List);
        for bad in [r#"{"verb":"rollback","bye":1}"#, r#"{"verb":"stage"}"#, r#"{"verb":"burn"}"#, "[]", ""] {
            assert!(serde_json::from_str::<Order>(bad).is_err(), "{bad}");
        }
    }
}
