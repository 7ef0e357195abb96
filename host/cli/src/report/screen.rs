//! What standard output can show.

use std::io::IsTerminal;

/// The width where there is no terminal: as wide as the reports of a log or a README may be.
const WIDTH: usize = 110;

/// Width and colour for standard output. Colour only on a terminal, and not where `NO_COLOR` is set.
pub fn screen() -> (usize, bool) {
    let stdout = std::io::stdout();
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    let colour = stdout.is_terminal() && !refused && !dumb;
    let width = rustix::termios::tcgetwinsize(&stdout).ok().map(|size| usize::from(size.ws_col));
    (width.filter(|width| *width > 0).unwrap_or(WIDTH), colour)
}
