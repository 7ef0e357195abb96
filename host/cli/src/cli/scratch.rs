//! The options of `scratch`.

use clap::Subcommand;

/// The verbs of `scratch`.
#[derive(Subcommand, Debug)]
pub enum ScratchVerb {
    /// Say what is kept: of which strategy and log, how large, when it was last used, and whether it is now.
    List,
    /// Let go of scratch that nobody uses. It is filled anew when its strategy is next asked for a page.
    Drop {
        /// A strategy's name, the first digits of its digest, or the name of a folder, as `list` shows them.
        #[arg(required_unless_present = "all")]
        name: Option<String>,
        /// All that NAME fits, or without NAME all that is kept.
        #[arg(long)]
        all: bool,
    },
}
