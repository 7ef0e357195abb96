//! `policy allow`: runs a strategy, shows what it used, and lets it in by the least stanza that covers it.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::AllowArgs;
use crate::commands::progress::Bar;
use crate::commands::{Setup, policy};
use crate::contract::{dataset, streams};
use crate::decisions::{Decision, Event};
use crate::error::Error;
use crate::page::Pager;
use crate::policy::allow::{self, Approval, Used};
use crate::policy::grants::BUILT_IN;
use crate::policy::{Grants, file, identity, lines, parse};
use crate::registry::Registry;
use crate::scratch::Scratch;
use crate::strategy::{Instances, Strategy, Worker};
use crate::usage::Usage;

/// Runs the verb: 0 if it is written, 1 if it is not.
pub fn run(setup: &Setup, args: &AllowArgs) -> Result<u8, Error> {
    let path = setup.policy.file.clone().ok_or_else(policy::which)?;
    check_words(args)?;
    let before = file::read(&path, file::MOST_BYTES)?;
    let Some(bytes) = Registry::new(&setup.policy).bytes(&as_path(&args.file))? else {
        return Err(Error::bad_request("a built-in strategy needs no stanza".to_owned()));
    };
    let digest = crate::sha256(&bytes);
    let used = try_out(setup, args, &bytes, &digest)?;
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let approval = Approval { by: &args.by, at: &today, reason: &args.reason, audit: None };
    let text = std::str::from_utf8(&before).map_err(|error| Error::bad_request(error.to_string()))?;
    let component = setup.policy.relative(&args.file);
    let known = setup.policy.stanzas.contains_key(&args.name);
    let (after, shown) = if known {
        let after =
            allow::replace(text, &args.name, &component, &digest, &approval).map_err(Error::bad_request)?;
        let said = format!(
            "[strategy.{}] keeps its grants, which cover all that it used; it now means sha256:{digest}\n",
            args.name
        );
        (after, said)
    } else {
        let stanza = allow::stanza(&args.name, &component, &digest, &used, &approval);
        (allow::add(text, &stanza), stanza)
    };
    allow::check_edit(&setup.policy, &after, &args.name, &used)
        .map_err(|what| Error::bad_request(format!("{}: {what}\n{shown}", path.display())))?;
    let mut output = setup.output()?;
    if !setup.common.json {
        output.write(shown.as_bytes())?;
        output.flush()?;
    }
    let written = args.yes || agreed(&path)?;
    if written {
        write(&path, &before, &after)?;
        let decision = Decision {
            digest: Some(format!("sha256:{digest}")),
            policy: Some(crate::sha256(after.as_bytes())),
            by: Some(args.by.clone()),
            ..Decision::new(Event::Grant, args.name.as_str(), args.reason.as_str())
        };
        setup
            .decisions()
            .record(&decision)
            .map_err(|error| error.during("the policy is written, but the grant is not recorded"))?;
    }
    if setup.common.json {
        output.json(&serde_json::json!({
            "strategy": args.name, "digest": format!("sha256:{digest}"), "stanza": shown, "written": written,
        }))?;
    } else {
        let end = if written { "written to" } else { "nothing was written to" };
        output.line(&format!("{end} {}", path.display()))?;
    }
    output.flush()?;
    Ok(u8::from(!written))
}

fn check_words(args: &AllowArgs) -> Result<(), Error> {
    parse::check_name(&args.name)
        .map_err(|what| Error::bad_request(format!("--as {:?}: {what}", args.name)))?;
    if BUILT_IN.contains(&args.name.as_str()) {
        return Err(Error::bad_request(format!(
            "--as {}: that strategy is built in: choose another name",
            args.name
        )));
    }
    for (option, text) in [("--by", &args.by), ("--reason", &args.reason)] {
        if text.trim().is_empty() || text.chars().count() > 500 || text.chars().any(char::is_control) {
            return Err(Error::bad_request(format!("{option} takes one line of at most 500 characters")));
        }
    }
    Ok(())
}

/// Runs the strategy on requests of the log. A new name is run with everything that can be granted, and
/// what it used is what it gets; a known name is run with what it has, and must get by with that.
fn try_out(setup: &Setup, args: &AllowArgs, bytes: &[u8], digest: &str) -> Result<Used, Error> {
    let imports = lines::imports(bytes);
    let grants = match setup.policy.stanzas.get(&args.name) {
        Some(stanza) => {
            let stanza = crate::policy::Stanza {
                digest: stanza.digest.as_ref().map(|_| digest.to_owned()),
                ..stanza.clone()
            };
            identity::check(&stanza, &args.file, bytes)?;
            lines::check_imports(&stanza, &args.file, bytes)?;
            stanza.grants
        }
        None => Grants {
            interfaces: imports.interfaces.clone(),
            virtual_tables: crate::policy::VIRTUAL_TABLES.to_vec(),
            wasi: imports.wasi.clone(),
            ..setup.policy.local()
        },
    };
    let strategy = Strategy::load(&setup.engine, &args.name, &args.file, bytes, grants)?;
    let log = setup.log()?;
    // A scratch of its own: one that is filled already would not show what a refresh uses.
    let cache = tempfile::Builder::new()
        .prefix("keyhole-allow-")
        .tempdir()
        .map_err(|source| Error::io(std::env::temp_dir(), source))?;
    let mut usage = Usage::default();
    let scratch = if strategy.is_indexed() {
        let bar = Bar::new(&setup.common, format!("filling a scratch of {}", args.name));
        let scratch = Scratch::new(
            &setup.engine,
            &strategy,
            &log,
            cache.path(),
            Some(Box::new(move |fed, all| bar.at(fed, all))),
        );
        scratch.ensure_filled().map_err(|error| lines::of_refresh(error, &args.name, &strategy.grants))?;
        usage.merge(&scratch.usage());
        Some(scratch)
    } else {
        None
    };
    let profile = setup.profile(&log)?;
    let mut requests = streams::contract(&profile, dataset::SEED, args.requests).requests;
    requests.extend(streams::dense(&profile, dataset::SEED, args.requests).requests);
    requests.extend(streams::edges(&profile, dataset::SEED, args.requests).requests);
    let bar = Bar::new(&setup.common, format!("running {}", args.name));
    let mut worker = Worker::new(&setup.engine, &strategy, Instances::Fresh, &log, scratch);
    let all = requests.len() as u64;
    for (request, done) in requests.iter().zip(0u64..) {
        crate::interrupt::check()?;
        bar.at(done, all);
        let answered = worker.page(request);
        if let Some(ledger) = worker.ledger() {
            usage.add(ledger, answered.as_ref().map_or(0, |page| page.len() as u64));
            refuse_denied(&strategy, ledger)?;
        }
        answered.map_err(|error| error.during(format!("running {} to see what it uses", args.name)))?;
    }
    let mut used = Used::of(&usage);
    used.imports(&imports.interfaces, &imports.wasi);
    Ok(used)
}

/// What was denied would be denied later as well: it is refused now, with every line that it lacks.
fn refuse_denied(strategy: &Arc<Strategy>, ledger: &crate::ledger::Ledger) -> Result<(), Error> {
    let mut reasons: Vec<String> =
        ledger.denials().map(|(rule, object)| format!("it was denied by rule {rule}: {object}")).collect();
    if reasons.is_empty() {
        return Ok(());
    }
    reasons.dedup();
    let denials = ledger.denials();
    let lines = lines::for_denials(&strategy.name, &strategy.grants, denials).unwrap_or_default();
    Err(Error::NotGranted { path: PathBuf::from(&strategy.name), reasons, lines })
}

fn as_path(file: &Path) -> String {
    let text = file.display().to_string();
    if text.contains('/') { text } else { format!("./{text}") }
}

fn agreed(path: &Path) -> Result<bool, Error> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::bad_request("nobody can be asked: say --yes if you agree".to_owned()));
    }
    let question = format!("Write this to {}? [y/N] ", path.display());
    let terminal = |source| Error::io("the terminal", source);
    std::io::stderr().write_all(question.as_bytes()).map_err(terminal)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(terminal)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Replaces the policy whole, unless someone else has edited it meanwhile.
fn write(path: &Path, before: &[u8], after: &str) -> Result<(), Error> {
    let failed = |source| Error::io(path, source);
    // A link stays one: the file that it points to is replaced.
    let path = &path.canonicalize().map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut part = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    part.write_all(after.as_bytes()).map_err(failed)?;
    part.as_file().set_permissions(path.metadata().map_err(failed)?.permissions()).map_err(failed)?;
    part.as_file().sync_all().map_err(failed)?;
    if file::read(path, file::MOST_BYTES)? != before {
        return Err(Error::bad_request(format!("{} was changed meanwhile: try again", path.display())));
    }
    part.persist(path).map_err(|error| Error::io(path, error.error))?;
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
