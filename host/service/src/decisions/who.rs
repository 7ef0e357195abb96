//! Who decides, if nobody is named.

use crate::report::visible;

/// The user that this process runs as: its name, where the machine's list of users has it, and its
/// number. Not from the environment, which anybody may set.
pub fn user() -> String {
    user_of(rustix::process::getuid().as_raw())
}

/// The user of that number, as [`user`] says it.
pub fn user_of(uid: u32) -> String {
    let users = std::fs::read("/etc/passwd").unwrap_or_default();
    match name(&String::from_utf8_lossy(&users), uid) {
        Some(name) => format!("{} (uid {uid})", visible(name)),
        None => format!("uid {uid}"),
    }
}

fn name(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let found = fields.nth(1)?.parse() == Ok(uid);
        (found && !name.is_empty() && name.len() <= 64).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_user_is_found_by_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\nbroken\n:x:7:7\nada:x:1000:1000:,,,:/home/ada:/bin/sh\n";
        assert_eq!(name(users, 1000), Some("ada"));
        assert_eq!(name(users, 0), Some("root"));
        assert_eq!(name(users, 7), None);
        assert_eq!(name(users, 8), None);
    }
}
