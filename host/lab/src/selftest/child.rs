//! The process that plays the attacks: this same program, on idle priority, under limits of its own. It may
//! crash or hang without harm to anyone.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::selftest::run::{Outcome, run};
use crate::selftest::stage::Stage;
use crate::selftest::{cases, own};
use keyhole_log::error::Error;
use keyhole_log::interrupt;
use keyhole_log::limits::Ceilings;
use keyhole_runtime::engine::Engine;
use keyhole_runtime::loader::Loader;
use keyhole_runtime::strategy::lane;

/// How long one attack may last. What is not contained by then is not contained.
const PATIENCE: Duration = Duration::from_secs(40);

/// How often a wait looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);

/// Bytes of the largest file that the process may write, and of its memory. Far above what the limits under
/// test allow: these are for the day one of them does nothing.
const FILE_BYTES: u64 = 1 << 30;
const MEMORY_BYTES: u64 = 4 << 30;

/// Seconds of processor time of all attacks together.
const CPU_SECONDS: u64 = 300;

/// The process, from the side of the one who gives the orders.
pub struct Player {
    child: Child,
    orders: ChildStdin,
    answers: Receiver<String>,
}

impl Player {
    /// Starts it on a stage.
    pub fn start(stage: &Stage) -> Result<Self, Error> {
        // The very program that is running, even where its file was replaced meanwhile.
        let program = Path::new("/proc/self/exe");
        let failed = |source| Error::io(program, source);
        let mut child = Command::new(program)
            .arg("play-attacks")
            .arg("--data")
            .arg(stage.folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let (Some(orders), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::Engine("the attacks' process has no pipes".to_owned()));
        };
        let (send, answers) = mpsc::channel();
        std::thread::Builder::new()
            .name("answers".to_owned())
            .spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if send.send(line).is_err() {
                        return;
                    }
                }
            })
            .map_err(failed)?;
        Ok(Self { child, orders, answers })
    }

    /// Has it play a row. None where the process did not survive: then `lost` is what is observed, and the
    /// player has to be started anew.
    pub fn play(&mut self, name: &str) -> Result<Result<Outcome, String>, Error> {
        if writeln!(self.orders, "{name}").is_err() {
            return Ok(Err(self.ended()));
        }
        let began = Instant::now();
        loop {
            interrupt::check()?;
            match self.answers.recv_timeout(LOOK) {
                Ok(line) => {
                    let failed =
                        |error| Error::Engine(format!("the attacks' process says {line:?}: {error}"));
                    return serde_json::from_str(&line).map(Ok).map_err(failed);
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(Err(self.ended())),
                Err(RecvTimeoutError::Timeout) if began.elapsed() > PATIENCE => {
                    return Ok(Err(format!("not contained within {} s", PATIENCE.as_secs())));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn ended(&mut self) -> String {
        match self.child.wait() {
            Ok(status) => match status.signal() {
                Some(signal) => format!("crashed (signal {signal})"),
                None => format!("ended ({status})"),
            },
            Err(error) => format!("lost ({})", keyhole_log::error::words(&error)),
        }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        // It may have ended by itself already; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process itself: plays the rows that it is told, and answers each with a line.
pub fn serve(folder: &Path) -> Result<(), Error> {
    limit_process()?;
    // First: the ticker keeps its priority, so that time limits strike on a busy machine too.
    let engine = Engine::with_loader(&Ceilings::default(), Loader::new("/proc/self/exe".into()))?;
    lane::idle()?;
    let stage = Stage::at(folder);
    for name in std::io::stdin().lines() {
        let name = name.map_err(|source| Error::io("standard input", source))?;
        let outcome = match (cases::find(&name), own::find(&name)) {
            (Some(case), _) => run(&engine, &stage, case)?,
            (None, Some(row)) => own::run(&engine, &stage, row)?,
            (None, None) => return Err(Error::bad_request(format!("there is no attack named {name}"))),
        };
        let line = serde_json::to_string(&outcome).map_err(|error| Error::Engine(error.to_string()))?;
        let answered = writeln!(std::io::stdout(), "{line}");
        answered.map_err(|source| Error::io("the pipe to whoever gives the orders", source))?;
    }
    Ok(())
}

fn limit_process() -> Result<(), Error> {
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Cpu, CPU_SECONDS),
        (Resource::Fsize, FILE_BYTES),
        (Resource::Data, MEMORY_BYTES),
    ] {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, limit).map_err(|error| Error::io("the process's own limits", error.into()))?;
    }
    Ok(())
}
