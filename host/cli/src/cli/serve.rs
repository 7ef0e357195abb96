//! The options of `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// Options of `serve`.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Where viewers connect. Another address than the loopback's needs --token-file or --no-auth.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Where operators connect: a Unix socket that nobody but this user may use. Nowhere else are
    /// strategies staged or metrics shown.
    #[arg(long, value_name = "SOCKET")]
    pub admin: Option<PathBuf>,
    /// Let viewers in by these tokens alone, one a line; read again at SIGHUP, as the policy is.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Let everybody in, from other machines, too.
    #[arg(long, conflicts_with = "token_file")]
    pub no_auth: bool,
    /// Requests a second of one viewer, twice as many at once; 0 for no limit.
    #[arg(long, default_value_t = crate::serve::RATE, value_name = "N")]
    pub rate: u32,
    /// Seconds that the end may take, after SIGTERM.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "SECONDS")]
    pub deadline: u64,
}
