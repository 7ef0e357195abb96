//! Everyone who answers pages of a log: each strategy on a worker in this process, `serve`, and the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use keyhole_log::Log;
use keyhole_log::error::Error;
use keyhole_log::grants::Instances;
use keyhole_log::model::{Filter, PageRequest, Pager, Position};
use keyhole_runtime::engine::Engine;
use keyhole_runtime::page::{Worker, render};
use keyhole_runtime::policy::Policy;
use keyhole_runtime::registry::Registry;
use keyhole_runtime::scratch::Scratch;
use keyhole_runtime::strategy::Strategy;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::serve::server::{Reply, Server};
use crate::support::{Place, code, engine, error_of, stdout};

/// Limits that a machine which is busy with other tests does not overrun, nobody who compares in secret, and refreshes
/// after few appends.
pub(super) const POLICY: &str = "version = 1\n[limits]\nguest_time = \"5s\"\nlog_lock = \"5s\"\nwall_time = \"20s\"\n\
                                 busy_wait = \"5s\"\n[serve]\nreference_share = 0.0\n\
                                 [scratch]\nrefresh_after = 60\n";

/// Codes that say "not now": asking again may help.
const NOT_NOW: [&str; 12] = [
    "busy",
    "crowded",
    "overloaded",
    "overdue",
    "budget",
    "cancelled",
    "unready",
    "nothing-serves",
    "log-replaced",
    "scratch-unfit",
    "not-ready",
    "being-compared",
];

/// How long somebody may say "not now".
const PATIENCE: Duration = Duration::from_secs(8);

/// An event as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) id: i64,
    pub(super) created_at: i64,
    pub(super) actor_id: i64,
    /// Action, type and name of the resource, payload.
    pub(super) texts: [String; 4],
}

/// What comes of a request.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// A page, and the cursor of the next one.
    Page { events: Vec<Shown>, next: Option<String> },
    /// An error: its code, and what else is said.
    Refused { code: String, words: String },
}

impl Answer {
    fn page(text: &str) -> Self {
        type Object = BTreeMap<String, Box<RawValue>>;
        let page: Object = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let events: Vec<Object> = serde_json::from_str(page["events"].get()).unwrap();
        let events = events.iter().map(|event| {
            let number = |name: &str| event[name].get().parse().unwrap();
            let text = |name: &str| serde_json::from_str(event[name].get()).unwrap();
            let payload = event["payload"].get().to_owned();
            Shown {
                id: number("id"),
                created_at: number("created_at"),
                actor_id: number("actor_id"),
                texts: [text("action"), text("resource_type"), text("resource_id"), payload],
            }
        });
        Self::Page { events: events.collect(), next: serde_json::from_str(page["next"].get()).unwrap() }
    }

    /// What stands in a problem or an error, as JSON.
    fn told(said: &Value) -> Self {
        Self::Refused { code: said["code"].as_str().unwrap().to_owned(), words: said.to_string() }
    }

    fn of(reply: &Reply) -> Self {
        if reply.status == 200 { Self::page(reply.text()) } else { Self::told(&reply.json()) }
    }

    fn error(error: &Error) -> Self {
        Self::Refused { code: error.code().to_owned(), words: error.to_string() }
    }
}

/// What somebody keeps that was made from the log, so that it may be old.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeps {
    Nothing,
    Index,
    Pages,
}

/// Somebody who answers pages of one log.
pub(super) trait Side: Send {
    fn name(&self) -> String;

    /// Answers, by cursor where one is given: its text, where it has one, and the request that it stands for.
    fn answer(&mut self, request: &PageRequest, cursor: Option<&str>) -> Answer;

    fn keeps(&self) -> Keeps;

    /// Whether it answers this kind of request at all.
    fn takes(&self, _request: &PageRequest) -> bool {
        true
    }

    /// Ends, and begins anew with the next request.
    fn end(&mut self) {}

    /// What a test of the tests does before the log is changed.
    fn before_change(&mut self) {}
}

/// Asks, and asks again while the answer is "not now", within patience.
pub(super) fn ask(side: &mut dyn Side, request: &PageRequest, cursor: Option<&str>) -> Answer {
    let began = Instant::now();
    loop {
        let answer = side.answer(request, cursor);
        match &answer {
            Answer::Refused { code, .. }
                if NOT_NOW.contains(&code.as_str()) && began.elapsed() < PATIENCE =>
            {
                std::thread::sleep(Duration::from_millis(10));
            }
            _ => return answer,
        }
    }
}

/// The engine and the strategies of this process, compiled once.
struct Loaded {
    engine: Engine,
    strategies: BTreeMap<&'static str, Arc<Strategy>>,
}

fn loaded() -> &'static Loaded {
    static LOADED: OnceLock<Loaded> = OnceLock::new();
    LOADED.get_or_init(|| {
        let place = Place::new();
        let path = place.path("keyhole.toml");
        std::fs::write(&path, POLICY).unwrap();
        let policy = Policy::read(&path, std::iter::empty()).unwrap();
        let engine = engine();
        let load = |name| (name, Registry::new(&policy).strategy(&engine, name).unwrap());
        let strategies = crate::support::STRATEGIES.into_iter().map(load).collect();
        Loaded { engine, strategies }
    })
}

/// A strategy on a worker of this process.
pub(super) struct InProcess {
    strategy: &'static str,
    instances: Instances,
    data: PathBuf,
    cache: PathBuf,
    worker: Option<Worker>,
}

impl InProcess {
    pub(super) fn of(strategy: &'static str, instances: Instances, data: &Path, cache: &Path) -> Self {
        Self { strategy, instances, data: data.to_owned(), cache: cache.to_owned(), worker: None }
    }

    fn worker(&mut self) -> Result<&mut Worker, Error> {
        if self.worker.is_none() {
            let Loaded { engine, strategies } = loaded();
            let (strategy, log) = (&strategies[self.strategy], Log::open(&self.data)?);
            let scratch =
                strategy.is_indexed().then(|| Scratch::new(engine, strategy, &log, &self.cache, None));
            self.worker = Some(Worker::new(engine, strategy, self.instances, &log, scratch));
        }
        Ok(self.worker.as_mut().unwrap())
    }
}

impl Side for InProcess {
    fn name(&self) -> String {
        let warm = if matches!(self.instances, Instances::Warm(_)) { ", warm" } else { "" };
        format!("{}{warm}", self.strategy)
    }

    fn keeps(&self) -> Keeps {
        if loaded().strategies[self.strategy].is_indexed() { Keeps::Index } else { Keeps::Nothing }
    }

    fn answer(&mut self, request: &PageRequest, _cursor: Option<&str>) -> Answer {
        match self.worker().and_then(|worker| worker.page(request)) {
            Ok(page) => {
                let mut text = Vec::new();
                render::render(&page, None, &mut text);
                Answer::page(std::str::from_utf8(&text).unwrap())
            }
            Err(error) => Answer::error(&error),
        }
    }

    fn end(&mut self) {
        self.worker = None;
    }
}

/// A running `keyhole serve` on a log, started with the first request.
pub(super) struct Running {
    place: Arc<Place>,
    data: PathBuf,
    policy: PathBuf,
    server: Option<Server>,
}

impl Running {
    pub(super) fn new(place: &Arc<Place>, data: &Path) -> Arc<Mutex<Self>> {
        let policy = place.path("keyhole.toml");
        std::fs::write(&policy, POLICY).unwrap();
        Arc::new(Mutex::new(Self { place: Arc::clone(place), data: data.to_owned(), policy, server: None }))
    }

    /// What lies there, with header lines; or the error that it did not start for.
    pub(super) fn get(&mut self, target: &str, headers: &str) -> Result<Reply, Answer> {
        if self.server.is_none() {
            let options = ["--rate", "0", "--policy", self.policy.to_str().unwrap()];
            let started = Server::try_listening(&self.place, &self.data, &options);
            self.server = Some(started.map_err(|said| Answer::told(&said))?);
        }
        Ok(self.server.as_ref().unwrap().get_with(target, headers))
    }
}

/// The path of a page.
fn target(request: &PageRequest, cursor: Option<&str>) -> String {
    let Filter { from_ts, to_ts, actor_id, action } = &request.filter;
    let mut target = format!("/v1/events?page_size={}", request.page_size);
    for (key, value, default) in [("from_ts", *from_ts, i64::MIN), ("to_ts", *to_ts, i64::MAX)] {
        if value != default {
            target += &format!("&{key}={value}");
        }
    }
    if let Some(actor) = actor_id {
        target += &format!("&actor_id={actor}");
    }
    if let Some(action) = action {
        target += &format!("&action={action}");
    }
    match (request.position, cursor) {
        (_, Some(cursor)) => target + "&after=" + cursor,
        (Position::Page(page), None) => format!("{target}&page={page}"),
        (Position::After(_), None) => panic!("a client has no key but in a cursor"),
    }
}

/// Pages of `serve`.
pub(super) struct Served(pub(super) Arc<Mutex<Running>>);

impl Side for Served {
    fn name(&self) -> String {
        "serve".to_owned()
    }

    fn keeps(&self) -> Keeps {
        Keeps::Index
    }

    fn answer(&mut self, request: &PageRequest, cursor: Option<&str>) -> Answer {
        let reply = self.0.lock().unwrap().get(&target(request, cursor), "");
        reply.map_or_else(|error| error, |reply| Answer::of(&reply))
    }

    fn end(&mut self) {
        self.0.lock().unwrap().server = None;
    }
}

/// A client of `serve` that keeps the pages that it was given, and asks whether they have changed.
pub(super) struct IfChanged {
    running: Arc<Mutex<Running>>,
    kept: BTreeMap<String, (String, Answer)>,
}

impl IfChanged {
    pub(super) fn new(running: &Arc<Mutex<Running>>) -> Self {
        Self { running: Arc::clone(running), kept: BTreeMap::new() }
    }
}

impl Side for IfChanged {
    fn name(&self) -> String {
        "serve, by entity tag".to_owned()
    }

    fn keeps(&self) -> Keeps {
        Keeps::Pages
    }

    fn takes(&self, request: &PageRequest) -> bool {
        *request == super::oracle::whole(1, 20)
    }

    fn answer(&mut self, request: &PageRequest, cursor: Option<&str>) -> Answer {
        let target = target(request, cursor);
        let headers = self.kept.get(&target).map(|(tag, _)| format!("If-None-Match: {tag}\r\n"));
        let reply = match self.running.lock().unwrap().get(&target, &headers.unwrap_or_default()) {
            Ok(reply) => reply,
            Err(error) => return error,
        };
        if reply.status == 304 {
            return self.kept[&target].1.clone();
        }
        let answer = Answer::of(&reply);
        if let Some(tag) = reply.header("etag") {
            self.kept.insert(target, (tag.to_owned(), answer.clone()));
        }
        answer
    }
}

/// `keyhole page keyset`: a new process for each page.
pub(super) struct ByCommand {
    pub(super) place: Arc<Place>,
    pub(super) data: PathBuf,
    pub(super) cache: PathBuf,
}

impl Side for ByCommand {
    fn name(&self) -> String {
        "page keyset, a new process each".to_owned()
    }

    fn takes(&self, request: &PageRequest) -> bool {
        matches!(request.position, Position::Page(_))
    }

    fn keeps(&self) -> Keeps {
        Keeps::Index
    }

    fn answer(&mut self, request: &PageRequest, _cursor: Option<&str>) -> Answer {
        let Filter { from_ts, to_ts, actor_id, action } = &request.filter;
        let mut command = self.place.keyhole();
        command.env("KEYHOLE_CACHE", &self.cache).env("KEYHOLE_POLICY", self.place.path("keyhole.toml"));
        command.args(["--json", "page", "keyset", "--data"]).arg(&self.data);
        command.args(["--page-size", &request.page_size.to_string()]);
        command.args(["--from", &from_ts.to_string(), "--to", &to_ts.to_string()]);
        if let Some(actor) = actor_id {
            command.args(["--actor", &actor.to_string()]);
        }
        if let Some(action) = action {
            command.args(["--action", action]);
        }
        if let Position::Page(page) = request.position {
            command.args(["--page", &page.to_string()]);
        }
        let output = command.output().unwrap();
        if code(&output) == 0 {
            return Answer::page(&stdout(&output));
        }
        Answer::told(&error_of(&output))
    }
}
