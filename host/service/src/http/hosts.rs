//! The `Host` header on a loopback address. A page in a browser on this machine may have its own name resolve to
//! 127.0.0.1 and read the log with its user's access; what it cannot do is send another name than its own.

use std::net::{IpAddr, Ipv6Addr};

/// Whether a host, with or without port, is a name of the loopback.
pub(super) fn is_loopback(host: &str) -> bool {
    let Some(name) = without_port(host) else { return false };
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let address = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inside) => inside.parse::<Ipv6Addr>().map(IpAddr::from).ok(),
        None => name.parse::<std::net::Ipv4Addr>().map(IpAddr::from).ok(),
    };
    address.is_some_and(|address| address.is_loopback())
}

fn without_port(host: &str) -> Option<&str> {
    let end = host.rfind(']').map_or(0, |end| end + 1);
    match host.get(end..)?.split_once(':') {
        None => Some(host),
        Some((between, port)) if port.parse::<u16>().is_ok() => host.get(..end + between.len()),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_names_of_the_loopback_pass() {
        for host in
            ["localhost", "LocalHost:80", "127.0.0.1", "127.0.0.1:8080", "127.9.9.9:1", "[::1]", "[::1]:8080"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil.example:8080",
            "::1",
            "[::1",
            "[::2]:80",
            "10.0.0.1",
            "0.0.0.0",
            "localhost:",
            "localhost:x",
            "localhost:99999",
            "127.1",
            "[::1]x",
            "localhost:80:80",
            "[127.0.0.1]",
            "user@localhost",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
