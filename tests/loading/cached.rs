//! Machine code in the cache folder: used from one start to the next, and believed only if it is our own.

use std::path::{Path, PathBuf};

use keyhole_lab::selftest::zoo;
use keyhole_log::Log;
use keyhole_log::grants::Grants;
use keyhole_log::limits::Ceilings;
use keyhole_runtime::engine::Engine;
use keyhole_runtime::loader::{Counts, Loader};

use super::{ask, honest, load};
use crate::support::{Place, binary, code, guest, stderr};

fn engine(place: &Place) -> Engine {
    let loader = Loader::new(binary()).with_cache(&place.path("cache"), &place.path("state")).unwrap();
    Engine::with_loader(&Ceilings::default(), loader).unwrap()
}

fn entries(place: &Place) -> Vec<PathBuf> {
    std::fs::read_dir(place.path("cache/code")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// What a host that starts anew does to load the honest strategy, which must then serve.
fn start(place: &Place, log: &Log) -> Counts {
    let engine = engine(place);
    let strategy = load(&engine, &honest(), Grants::local()).unwrap();
    assert_eq!(ask(&engine, &strategy, log, 10).unwrap().len(), 10);
    engine.loader().counts()
}

#[test]
fn code_is_compiled_once_and_then_taken_from_the_cache() {
    let place = Place::new();
    let log = Log::open(&place.small_data(50)).unwrap();
    assert_eq!(start(&place, &log), Counts { compiled: 1, ..Counts::default() });
    assert_eq!(start(&place, &log), Counts { cached: 1, ..Counts::default() });
    // Code for another engine is other code.
    let loader = Loader::new(binary()).with_cache(&place.path("cache"), &place.path("state")).unwrap();
    let fuel = Engine::with_loader(&Ceilings { fuel: true, ..Ceilings::default() }, loader).unwrap();
    assert!(load(&fuel, &honest(), Grants::local()).is_ok());
    assert_eq!(fuel.loader().counts(), Counts { compiled: 1, ..Counts::default() });
    assert_eq!(entries(&place).len(), 2);
}

#[test]
fn grants_are_compared_though_the_code_is_cached() {
    let place = Place::new();
    let log = Log::open(&place.small_data(50)).unwrap();
    start(&place, &log);
    let engine = engine(&place);
    let narrower = Grants { interfaces: vec!["payloads"], ..Grants::local() };
    let error = load(&engine, &honest(), narrower).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("keyhole:strategy/log@0.1.0, which is not granted"), "{error}");
    assert_eq!(engine.loader().counts().cached, 1);
}

#[test]
fn a_changed_entry_is_never_loaded() {
    let place = Place::new();
    let log = Log::open(&place.small_data(50)).unwrap();
    start(&place, &log);
    let entry = entries(&place).pop().unwrap();
    let whole = std::fs::read(&entry).unwrap();
    // Its code of authentication, the file's head, and places in what follows.
    let places = [0, 31, 32, 40, whole.len() / 3, whole.len() / 2, whole.len() - 1];
    for place_in_entry in places {
        let mut bytes = whole.clone();
        bytes[place_in_entry] ^= 1;
        std::fs::write(&entry, &bytes).unwrap();
        assert_eq!(
            start(&place, &log),
            Counts { compiled: 1, thrown_away: 1, ..Counts::default() },
            "byte {place_in_entry}"
        );
        assert_eq!(start(&place, &log).cached, 1, "what was compiled anew is kept");
    }
}

#[test]
fn another_components_code_under_the_right_name_is_never_loaded() {
    let place = Place::new();
    let log = Log::open(&place.small_data(50)).unwrap();
    start(&place, &log);
    let right = entries(&place).pop().unwrap();
    let engine = engine(&place);
    load(&engine, &zoo::component("early-end").unwrap(), Grants::local()).unwrap();
    let wrong = entries(&place).into_iter().find(|entry| *entry != right).unwrap();
    std::fs::rename(wrong, &right).unwrap();
    assert_eq!(start(&place, &log), Counts { compiled: 1, thrown_away: 1, ..Counts::default() });
}

#[test]
fn the_binary_says_that_it_threw_code_away_and_answers_all_the_same() {
    let place = Place::new();
    let data = place.small_data(50);
    let strategy = guest("honest");
    let strategy = strategy.to_str().unwrap();
    let page = |args: &[&str]| place.run(&data, &[&["page", strategy, "--page-size", "5"], args].concat());
    let first = page(&[]);
    assert_eq!(code(&first), 0, "{}", stderr(&first));
    for entry in entries(&place) {
        std::fs::write(entry, b"machine code of somebody else's").unwrap();
    }
    let second = page(&[]);
    assert_eq!((code(&second), &second.stdout), (0, &first.stdout));
    assert!(stderr(&second).contains("not loaded but thrown away"), "{}", stderr(&second));
    assert!(!stderr(&page(&[])).contains("thrown away"));
}

#[test]
fn a_cache_that_cannot_be_written_is_no_error() {
    let place = Place::new();
    let log = Log::open(&place.small_data(50)).unwrap();
    std::fs::write(place.path("cache"), "a file where the folder should be").unwrap();
    assert_eq!(start(&place, &log).compiled, 1);
    assert!(Path::new(&place.path("cache")).is_file());
}
