//! What is active survives a restart, and is never guessed.

use std::os::unix::fs::PermissionsExt;

use super::site::{Site, active, ask, bring_in, from, promote, shut};

#[test]
fn a_restart_serves_what_was_promoted_though_its_file_is_gone() {
    let mut site = Site::new(1_000);
    let honest = site.let_in("honest");
    let service = site.open();
    bring_in(&service, &honest, "honest");
    let (name, digest) = service.active().unwrap();
    shut(&service);
    std::fs::remove_file(&honest).unwrap();
    let service = site.open();
    assert_eq!(service.active().unwrap(), (name, digest));
    assert_eq!(ask(&service, &from(i64::MIN, 1, 10)).page.unwrap().len(), 10);
    let state = service.state();
    assert!(state.ready && state.good[0].name == "keyset", "{state:?}");
    promote(&service, "keyset").unwrap();
    shut(&service);
    let service = site.open();
    assert_eq!(active(&service), "keyset");
    let mode = |name: &str| std::fs::metadata(site.state().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("serving.json"), mode("strategies")), (0o600, 0o700));
    shut(&service);
}

#[test]
fn a_restart_under_a_policy_that_no_longer_lets_it_in_serves_the_last_good_one() {
    let mut site = Site::new(1_000);
    let honest = site.let_in("honest");
    let service = site.open();
    bring_in(&service, &honest, "honest");
    shut(&service);
    site.revoke("honest");
    let service = site.open();
    assert_eq!(active(&service), "keyset");
    assert!(site.decided(&["refuse honest"]), "{:?}", site.decisions());
    shut(&service);
}

/// Somebody put other bytes where the promoted component was kept.
#[test]
fn a_kept_component_that_was_changed_does_not_serve() {
    let mut site = Site::new(1_000);
    let honest = site.let_in("honest");
    let service = site.open();
    bring_in(&service, &honest, "honest");
    let (_, digest) = service.active().unwrap();
    shut(&service);
    let kept = site.state().join("strategies").join(format!("{digest}.wasm"));
    std::fs::write(&kept, keyhole_lab::selftest::zoo::component("early-end").unwrap()).unwrap();
    let service = site.open();
    assert_eq!(active(&service), "keyset");
    shut(&service);
}

#[test]
fn a_broken_state_file_is_an_error_that_says_so_wherever_it_was_cut() {
    let site = Site::new(1_000);
    let service = site.open();
    shut(&service);
    let path = site.state().join("serving.json");
    let whole = std::fs::read(&path).unwrap();
    let cuts = (0..whole.len() - 2).step_by(whole.len() / 12).map(|length| whole[..length].to_vec());
    let others = [
        b"\xff\xfe".to_vec(),
        b"{}".to_vec(),
        String::from_utf8(whole.clone()).unwrap().replace("\"version\": 1", "\"version\": 2").into_bytes(),
        String::from_utf8(whole.clone()).unwrap().replace("\"good\"", "\"well\"").into_bytes(),
        vec![b' '; 100_000],
    ];
    for broken in cuts.chain(others) {
        std::fs::write(&path, &broken).unwrap();
        let error = site.try_open().map(|_| ()).unwrap_err();
        assert_eq!(error.code(), "bad-state", "{error}: {}", String::from_utf8_lossy(&broken));
        assert!(error.place() == Some(path.as_path()) && error.fix().is_some(), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), broken, "the evidence stays");
    }
    std::fs::write(&path, &whole).unwrap();
    shut(&site.open());
}
