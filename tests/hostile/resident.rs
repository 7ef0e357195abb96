//! Killed instances leave no memory behind. Counted in a process of its own, where nothing else grows.

use std::process::Command;
use std::time::Duration;

use keyhole_log::grants::Grants;
use keyhole_log::limits::Limits;
use keyhole_log::model::Pager;

use super::host;
use crate::support::{code, memory, stderr, stdout};

/// How many instances are killed, and by how many hundredths the process may have grown then.
const VARIABLES: [&str; 2] = ["KEYHOLE_KILLS", "KEYHOLE_GROWTH"];

#[test]
fn resident_memory_is_as_before_after_two_thousand_kills() {
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture"])
        .arg("hostile::resident::resident_memory_is_as_before_after_ten_thousand_kills")
        .envs(VARIABLES.into_iter().zip(["2000", "25"]))
        .output()
        .unwrap();
    assert_eq!(code(&ran), 0, "{}{}", stdout(&ran), stderr(&ran));
    assert!(stdout(&ran).contains("1 passed"), "{}", stdout(&ran));
}

#[test]
#[ignore = "takes minutes: tests/full/run has it, and the test above a fifth of it"]
fn resident_memory_is_as_before_after_ten_thousand_kills() {
    let [kills, growth] = VARIABLES.map(|name| std::env::var(name).ok().and_then(|text| text.parse().ok()));
    let (kills, growth): (u64, u64) = (kills.unwrap_or(10_000), growth.unwrap_or(5));
    let limits = Limits { guest_time: Duration::from_millis(1), ..Limits::default() };
    let mut killed = ["spin-in-page", "grow-in-start", "trap-in-mid-page", "deep-recursion"].map(|name| {
        let case = host::case(name);
        let grants = Grants { limits: limits.clone(), ..Grants::local() };
        (host::worker_under(case, grants, case.instances), case.request())
    });
    let mut kill = |rounds: u64| {
        for round in 0..rounds {
            let among = usize::try_from(round).unwrap() % killed.len();
            let (worker, request) = &mut killed[among];
            assert!(worker.page(request).is_err());
        }
    };
    // By then every slot and cache is as large as it gets.
    kill(400);
    let before = memory("VmRSS") / 1024;
    kill(kills);
    let after = memory("VmRSS") / 1024;
    println!("{kills} instances killed: {before} KiB resident before, {after} KiB after");
    assert!(after * 100 <= before * (100 + growth), "{before} KiB before, {after} KiB after");
}
