//! The options of `strategy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Options of `strategy`.
#[derive(Args, Debug)]
pub struct StrategyArgs {
    /// The service's admin socket [default: admin.sock in the state folder].
    #[arg(long, global = true, env = "KEYHOLE_ADMIN", value_name = "SOCKET")]
    pub admin: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub verb: StrategyVerb,
}

/// The verbs of `strategy`.
#[derive(Subcommand, Debug)]
pub enum StrategyVerb {
    /// Say what serves, what served before, and what is on its way.
    List,
    /// Take a strategy in: it is checked, its scratch is filled, and it is proven equal to the reference.
    Stage {
        /// A component file, or the name of a strategy that the binary or the policy knows.
        strategy: String,
        /// The name that it will have, of a stanza of the policy's.
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
        /// Do not wait for the proof.
        #[arg(long)]
        no_wait: bool,
    },
    /// Compare a proven strategy with the one that serves, on live requests.
    Shadow {
        /// The strategy.
        name: String,
        /// The share of live requests that it is asked as well, above 0 and at most 1.
        #[arg(long, value_name = "S")]
        share: f64,
        /// How many requests are compared.
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..), value_name = "N")]
        requests: u64,
        /// Do not wait for the end of the shadow.
        #[arg(long)]
        no_wait: bool,
    },
    /// Make a strategy the active one: one whose shadow saw no difference, or that served before.
    Promote {
        /// The strategy.
        name: String,
        /// Only if it is this staging of it, as `list` shows it after the #.
        #[arg(long, value_name = "N")]
        revision: Option<u64>,
    },
    /// Make the strategy that served before the active one again.
    Rollback,
    /// Let go of a strategy that does not serve, once it has answered what it began.
    Drain {
        /// The strategy.
        name: String,
    },
}
