//! The verbs that no person says: each is a process of its own, which another verb starts of this same program.

use std::path::PathBuf;

use clap::Subcommand;

use crate::args::Common;
use crate::verbs::Setup;
use keyhole_lab::audit::child_run::ChildRun;
use keyhole_lab::selftest;
use keyhole_log::dataset::copy;
use keyhole_log::error::Error;
use keyhole_runtime::loader::child;
use keyhole_runtime::page::Worker;
use keyhole_runtime::scratch::Scratch;

/// The verbs that this program itself says.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Plays attacks, for `selftest`.
    #[command(hide = true)]
    PlayAttacks,
    /// Appends to a copy of a log, for `verify`.
    #[command(hide = true)]
    AppendToCopy,
    /// Compiles a component from standard input, for every verb that loads one.
    #[command(hide = true)]
    CompileComponent(CompileArgs),
    /// Runs one trial of an audit.
    #[command(hide = true)]
    AuditTrial(TrialArgs),
}

/// Options of `compile-component`; the component itself comes on standard input.
#[derive(clap::Args, Debug)]
pub struct CompileArgs {
    /// Bytes of address space.
    #[arg(long)]
    memory: u64,
    /// Seconds of processor time.
    #[arg(long)]
    cpu_time: u64,
    /// Bytes of machine code.
    #[arg(long)]
    code_bytes: u64,
    /// Whether the code counts fuel.
    #[arg(long)]
    fuel: bool,
    /// Granted interfaces of the project's package.
    #[arg(long, value_delimiter = ',')]
    interfaces: Vec<String>,
    /// Granted interfaces of WASI.
    #[arg(long, value_delimiter = ',')]
    wasi: Vec<String>,
}

/// Options of `audit-trial`; its job comes on standard input.
#[derive(clap::Args, Debug)]
pub struct TrialArgs {
    /// A built-in strategy, or a component file.
    pub strategy: String,
    /// Where its scratch lies.
    #[arg(long, value_name = "DIR")]
    pub scratch: PathBuf,
}

/// Runs the verb until its job is done, or its standard input ends.
pub fn run(common: Common, verb: Verb) -> Result<u8, Error> {
    match verb {
        Verb::PlayAttacks => selftest::child::serve(&common.data)?,
        Verb::AppendToCopy => copy::serve_appends(&common.data)?,
        Verb::CompileComponent(args) => {
            let CompileArgs { memory, cpu_time, code_bytes, fuel, interfaces, wasi } = args;
            return child::run(&child::Orders { memory, cpu_time, code_bytes, fuel, interfaces, wasi });
        }
        Verb::AuditTrial(args) => child_run(common, &args)?,
    }
    Ok(0)
}

/// Does what an audit orders of a child run, and answers on standard output.
fn child_run(common: Common, args: &TrialArgs) -> Result<(), Error> {
    let setup = Setup::counting_fuel(common)?;
    let log = setup.log()?;
    let strategy = setup.strategy(&args.strategy)?;
    let run = ChildRun::read(&mut std::io::stdin().lock())?;
    std::fs::create_dir_all(&args.scratch).map_err(|source| Error::io(&args.scratch, source))?;
    let scratch =
        strategy.is_indexed().then(|| Scratch::new(&setup.engine, &strategy, &log, &args.scratch, None));
    let worker = |instances| {
        Ok(Worker::new(&setup.engine, &strategy, instances, &log, scratch.clone()).for_comparison())
    };
    run.answer(&worker, &mut std::io::stdout().lock())
        .map_err(|error| error.during(format!("a trial of {}", args.strategy)))
}
