//! Attacks by what is imported: refused at load by name, as no case here is granted any of it.

use super::{Case, Group, Seen};

const fn refused(name: &'static str, what: &'static str) -> Case {
    Case::new(Group::Imports, name, what, Seen::Refused, &["load-refused"])
}

pub(super) const CASES: &[Case] = &[
    refused("newer-version", "Imports the log from a newer version of the package."),
    refused("no-such-interface", "Imports an interface that nobody ever offered."),
    refused("older-version", "Imports the log from an older version of the package."),
    refused("wasi-arguments", "Reads the host's arguments."),
    refused("wasi-clocks", "Looks for time that passes."),
    refused("wasi-empty-writes", "Writes nothing to standard output, without end."),
    refused("wasi-environment", "Reads the host's environment variables."),
    refused("wasi-exit", "Ends the process."),
    refused("wasi-filesystem", "Asks for the folders that it may open."),
    refused("wasi-http", "Begins an HTTP request."),
    refused("wasi-many-streams", "Asks for standard output again and again, and lets go of none."),
    refused("wasi-poll", "Waits ten years for a timer."),
    refused("wasi-random", "Asks for random numbers."),
    refused("wasi-random-flood", "Asks for more random bytes than there is memory in the world."),
    refused("wasi-sockets", "Asks for the network."),
    refused("wasi-stderr", "Floods standard error."),
    refused("wasi-stdin", "Reads standard input."),
    refused("wasi-stdout", "Floods standard output."),
    refused("wrong-types", "The right names with wrong types."),
];
