//! The strategies of the zoo, each under the request of its row in the table of cases.

use std::collections::BTreeSet;
use std::path::Path;

use keyhole::engine::Engine;
use keyhole::error::observed_denial;
use keyhole::limits::Ceilings;
use keyhole::loader::Loader;
use keyhole::log::Log;
use keyhole::page::Pager;
use keyhole::policy::Grants;
use keyhole::selftest::cases::Case;
use keyhole::selftest::zoo;
use keyhole::strategy::{Strategy, Worker};

/// Plays a case to its end: the error's observation, or that a page came, and what was denied meanwhile.
pub(crate) fn play(case: &Case, folder: &Path) -> String {
    // The compiler is the ordinary binary beside this one.
    let compiler = std::env::current_exe().unwrap().with_file_name("keyhole");
    let engine = Engine::with_loader(&Ceilings::default(), Loader::new(compiler)).unwrap();
    let grants = Grants { limits: case.limits(), ..Grants::local() };
    let bytes = zoo::component(case.name).unwrap();
    let strategy = match Strategy::load(&engine, case.name, Path::new(case.name), &bytes, grants) {
        Ok(strategy) => strategy,
        Err(error) => return error.observed(),
    };
    let log = Log::open(folder).unwrap();
    let mut worker = Worker::new(&engine, &strategy, case.instances, &log, None);
    for _ in 0..case.times {
        if let Err(error) = worker.page(&case.ask.request()) {
            return error.observed();
        }
    }
    let denials: BTreeSet<String> = worker
        .ledger()
        .map(|ledger| ledger.denials().map(|(rule, object)| observed_denial(rule, object)).collect())
        .unwrap_or_default();
    let list: Vec<String> = denials.into_iter().collect();
    if list.is_empty() { "page".to_owned() } else { format!("page, and {}", list.join(", ")) }
}
