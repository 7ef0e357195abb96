//! `cargo bench --locked -p keyhole-boundary`: measures, prints the tables, and writes JSON where it is told.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use keyhole::bench::{Conditions, Machine};
use keyhole_boundary::document::document;
use keyhole_boundary::figure::Figures;
use keyhole_boundary::ground::Ground;
use keyhole_boundary::plan::variants;
use keyhole_boundary::report::report;
use keyhole_boundary::rows::Rows;
use keyhole_boundary::run::{Effort, run};

/// Measures what it costs to cross between host and strategy.
#[derive(Parser)]
struct Arguments {
    /// Samples of each variant.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
    /// About how many microseconds a sample takes.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    slice: u64,
    /// Also write everything, each sample included, to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Play everything once and compare the sums; measure nothing. So does `cargo test`.
    #[arg(long)]
    test: bool,
    /// What `cargo bench` says and `cargo test` does not.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match measure(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("boundary: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> wasmtime::Result<()> {
    let smoke = arguments.test || !arguments.bench;
    let effort = if smoke {
        Effort::SMOKE
    } else {
        Effort { rounds: arguments.rounds, slice: Duration::from_micros(arguments.slice) }
    };
    let machine = Machine::detect();
    let mut conditions = Conditions::begin(&[], machine.memory_bytes);
    let began = Instant::now();
    if !smoke {
        eprintln!("{} variants, {} rounds of {:?} each", variants().len(), effort.rounds, effort.slice);
    }
    let figures = Figures(run(|| Ground::new(Rows::default()), effort)?);
    conditions.end();
    if smoke {
        println!("{} variants were played once, and every sum is right", figures.0.len());
    } else {
        let load = |load: Option<f64>| load.map_or_else(|| "unknown".to_owned(), |load| format!("{load:.2}"));
        println!("{} with {} cores, {}", machine.cpu, machine.cores, machine.kernel);
        println!(
            "{}, {} rounds in {:.0} s; load {} before, {} after",
            conditions.started,
            effort.rounds,
            began.elapsed().as_secs_f64(),
            load(conditions.load_before),
            load(conditions.load_after),
        );
        println!("median of the rounds [interval of 95 % confidence for it]");
        print!("{}", report(&figures));
    }
    if let Some(path) = &arguments.json {
        let text = format!("{:#}\n", document(&figures, effort, &machine, &conditions));
        fs::write(path, text).map_err(|error| {
            wasmtime::Error::msg(format!("{}: {error}; --json takes a file to write", path.display()))
        })?;
    }
    Ok(())
}
