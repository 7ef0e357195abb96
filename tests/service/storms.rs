//! Storms around the service: swaps while hostile candidates come in beside honest load, and hostile and broken
//! files staged all at once. What served before still serves, and no request fails.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use keyhole_lab::selftest::cases::{self, Seen};
use keyhole_log::grants::Instances;
use keyhole_log::model::{PageRequest, Pager};
use keyhole_runtime::page::Worker;
use keyhole_runtime::registry;
use keyhole_service::status::{Stage, Staged};
use keyhole_service::{Lane, Service};

use super::site::{Site, active, bring_in, from, ids, promote, shut, stage, until};
use crate::support::SetOnDrop;

/// Strategies of every kind that a proof, a check, or the page itself must stop.
const HOSTILE: [&str; 12] = [
    "spin-in-page",
    "trap-in-mid-page",
    "grow-until-refused",
    "early-end",
    "next-page-instead",
    "invented-id",
    "cross-join",
    "sort-bomb",
    "handle-flood",
    "spin-in-start",
    "many-memories",
    "write-log",
];

/// An answer, to be compared afterwards.
struct Served {
    request: PageRequest,
    high_water: i64,
    ids: Vec<i64>,
}

/// What honest clients saw.
#[derive(Default)]
struct Load {
    requests: AtomicU64,
    kept: Mutex<Vec<Served>>,
    by: Mutex<BTreeMap<String, u64>>,
}

/// In CI long enough to swap a few hundred times; with `KEYHOLE_STORM_SECONDS` set, that long, and with
/// strategies that do not serve on idle priority, as they ship.
fn span() -> (Duration, Lane) {
    match std::env::var("KEYHOLE_STORM_SECONDS").ok().and_then(|seconds| seconds.parse().ok()) {
        Some(seconds) => (Duration::from_secs(seconds), Lane::Idle),
        None => (Duration::from_secs(4), Lane::Normal),
    }
}

fn a_site() -> (Site, Duration) {
    let mut site = Site::new(1_000);
    let (span, lane) = span();
    site.lane = lane;
    site.guest_time = "50ms";
    for name in HOSTILE {
        site.let_in(name);
    }
    // Its own limits are those of a machine that is busy with other tests.
    site.guest_time = "5s";
    site.let_in("honest");
    (site, span)
}

#[test]
fn swap_storm() {
    let (site, span) = a_site();
    let service = site.open();
    bring_in(&service, &site.place.path("honest.wasm"), "honest");
    let (over, load) = (AtomicBool::new(false), Load::default());
    let swaps = AtomicU64::new(0);
    let mut staged_in_all = 0;
    std::thread::scope(|scope| {
        let _over = SetOnDrop(&over);
        for client in 0..3 {
            let (service, over, load) = (&service, &over, &load);
            scope.spawn(move || honest_client(service, client, over, load));
        }
        let (swapped, service_of, over_of) = (&swaps, &service, &over);
        scope.spawn(move || {
            for turn in 0_u64.. {
                if over_of.load(SeqCst) {
                    break;
                }
                promote(service_of, if turn % 2 == 0 { "keyset" } else { "honest" }).unwrap();
                swapped.fetch_add(1, SeqCst);
            }
        });
        let began = Instant::now();
        while began.elapsed() < span {
            for name in HOSTILE {
                // Refused at once, or on its way to a proof that it will not pass.
                if stage(&service, &site.place.path(&format!("{name}.wasm")), name).is_ok() {
                    staged_in_all += 1;
                }
                assert_ne!(promote(&service, name).unwrap_err().code(), "io");
            }
        }
        over.store(true, SeqCst);
    });
    let state = service.state();
    assert!(state.ready, "{:?}", state.troubles);
    assert!(state.staged.iter().all(|staged| staged.stage != Stage::Ready), "{:?}", state.staged);
    report(
        "swap-storm",
        &load,
        &format!("{} swaps, {staged_in_all} hostile candidates staged", swaps.load(SeqCst)),
    );
    assert!(swaps.load(SeqCst) > 10);
    judge(&site, &load, &["keyset", "honest"]);
    shut(&service);
}

#[test]
fn stage_storm() {
    let (mut site, _) = a_site();
    let broken = broken_files(&mut site);
    let service = site.open();
    let before = service.active().unwrap();
    let (over, load) = (AtomicBool::new(false), Load::default());
    let refused = Mutex::new(BTreeMap::<String, u64>::new());
    let (let_in, turned_away) = (AtomicU64::new(0), AtomicU64::new(0));
    let files: Vec<(PathBuf, String)> = HOSTILE
        .iter()
        .map(|name| (site.place.path(&format!("{name}.wasm")), (*name).to_owned()))
        .chain(broken)
        .collect();
    std::thread::scope(|scope| {
        let _over = SetOnDrop(&over);
        for client in 0..2 {
            let (service, over, load) = (&service, &over, &load);
            scope.spawn(move || honest_client(service, client, over, load));
        }
        // All of them at once, and each name three times over.
        let stagers: Vec<_> = files
            .iter()
            .cycle()
            .take(files.len() * 3)
            .map(|(path, name)| {
                let (service, refused, let_in, turned_away) = (&service, &refused, &let_in, &turned_away);
                scope.spawn(move || match stage(service, path, name) {
                    Ok(_) => _ = let_in.fetch_add(1, SeqCst),
                    Err(error) if error.code() == "overloaded" => _ = turned_away.fetch_add(1, SeqCst),
                    Err(error) => *refused.lock().unwrap().entry(error.observed()).or_default() += 1,
                })
            })
            .collect();
        for stager in stagers {
            stager.join().unwrap();
        }
        until("every candidate is judged", || {
            let judged = |staged: &Staged| matches!(staged.stage, Stage::Failed | Stage::Proven);
            service.state().staged.iter().all(judged)
        });
        for candidate in service.state().staged {
            // Some only try what they are denied, and answer rightly all the same.
            let harmless =
                matches!(cases::find(&candidate.name).unwrap().seen, Seen::Denied | Seen::Harmless);
            assert!(candidate.stage == Stage::Failed || harmless, "{candidate:?}");
        }
        over.store(true, SeqCst);
    });
    let (refused, let_in) = (refused.into_inner().unwrap(), let_in.into_inner());
    let details =
        format!("{let_in} staged and failed, {} turned away, refused: {refused:?}", turned_away.into_inner());
    report("stage-storm", &load, &details);
    assert!(let_in > 0 && refused.values().sum::<u64>() > 0, "{details}");
    assert_eq!(service.active().unwrap(), before, "what served before still serves");
    assert!(service.state().ready);
    judge(&site, &load, &["keyset"]);
    assert_eq!(active(&service), "keyset");
    shut(&service);
}

/// Files that are no strategies, each with a stanza that means exactly its bytes.
fn broken_files(site: &mut Site) -> Vec<(PathBuf, String)> {
    let whole = keyhole_runtime::embedded::KEYSET;
    let mut flipped = whole.to_vec();
    for place in (64..flipped.len()).step_by(997) {
        flipped[place] ^= 0x10;
    }
    let files: [(&str, Vec<u8>); 6] = [
        ("empty", Vec::new()),
        ("truncated", whole[..whole.len() / 2].to_vec()),
        ("bit-flipped", flipped),
        ("text-format", b"(component)".to_vec()),
        ("core-module", b"\0asm\x01\0\0\0".to_vec()),
        ("no-exports", b"\0asm\x0d\0\x01\0".to_vec()),
    ];
    files.into_iter().map(|(name, bytes)| (site.let_in_as(name, &bytes, &["id"]), name.to_owned())).collect()
}

/// An honest client in a closed loop. Every request is answered; every twentieth answer is kept.
fn honest_client(service: &Service, client: u64, over: &AtomicBool, load: &Load) {
    for number in 0_u64.. {
        if over.load(SeqCst) {
            return;
        }
        let request = from(i64::MIN, (number * 7 + client * 3) % 40 + 1, 25);
        let answered = service.submit(request.clone()).unwrap().wait();
        let page = answered.page.unwrap();
        load.requests.fetch_add(1, SeqCst);
        *load.by.lock().unwrap().entry(answered.strategy.to_string()).or_default() += 1;
        if number % 20 == 0 {
            load.kept.lock().unwrap().push(Served { ids: ids(&page), high_water: page.high_water, request });
        }
    }
}

fn report(storm: &str, load: &Load, details: &str) {
    println!(
        "{storm}: {} honest requests, none failed, by {:?}; {details}",
        load.requests.load(SeqCst),
        load.by.lock().unwrap()
    );
}

/// Nobody else answered, and every answer that was kept is right.
fn judge(site: &Site, load: &Load, strategies: &[&str]) {
    assert!(load.by.lock().unwrap().keys().all(|name| strategies.contains(&name.as_str())));
    let engine = crate::support::engine();
    let native = registry::Registry::new(&site.policy()).strategy(&engine, "native-baseline").unwrap();
    let log = keyhole_log::Log::open(&site.data).unwrap();
    let mut reference = Worker::new(&engine, &native, Instances::Fresh, &log, None);
    let kept = load.kept.lock().unwrap();
    assert!(!kept.is_empty());
    for served in kept.iter() {
        let bounded = PageRequest { up_to: Some(served.high_water), ..served.request.clone() };
        assert_eq!(ids(&reference.page(&bounded).unwrap()), served.ids, "{:?}", served.request);
    }
}
