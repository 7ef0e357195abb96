//! A running `keyhole serve`, and a client that says exactly what it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::support::Place;

/// Longer than anything takes on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// The process.
pub(super) struct Server {
    child: Option<Child>,
    pub(super) address: SocketAddr,
    pub(super) admin: PathBuf,
    logs: Arc<Mutex<Vec<Value>>>,
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Server {
    /// Starts one on a log, with options besides those that every test needs.
    pub(super) fn start(place: &Place, data: &Path, options: &[&str]) -> Self {
        let server = Self::listening(place, data, options);
        server.logged("serving");
        server
    }

    /// The same, which may have to fill its strategy's scratch first.
    pub(super) fn listening(place: &Place, data: &Path, options: &[&str]) -> Self {
        let (mut child, admin) = Self::spawn(place, data, "127.0.0.1:0", options);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("it ended before it listened").unwrap();
            let said: Value = serde_json::from_str(&line).unwrap();
            assert!(said["code"].is_null(), "{said}");
            if said["message"] == "listening" {
                break said["address"].as_str().unwrap().parse().unwrap();
            }
        };
        let logs = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&logs);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        Self { child: Some(child), address, admin, logs }
    }

    /// One that logs nothing but warnings, and serves: for measurements, which no log shall disturb.
    pub(super) fn quiet(place: &Place, data: &Path, options: &[&str]) -> Self {
        // Free a moment ago; it does not say which one it takes.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let options = [options, &["--quiet"]].concat();
        let (mut child, admin) = Self::spawn(place, data, &address.to_string(), &options);
        let mut errors = child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::stderr()));
        let server = Self { child: Some(child), address, admin, logs: Arc::default() };
        for _ in 0..600 {
            if TcpStream::connect(address).is_ok() && server.get("/readyz").status == 200 {
                return server;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("it is never ready");
    }

    fn spawn(place: &Place, data: &Path, listen: &str, options: &[&str]) -> (Child, PathBuf) {
        let admin = place.path("admin.sock");
        let child = place
            .keyhole()
            .args(["--json", "serve", "--listen", listen, "--admin"])
            .arg(&admin)
            .arg("--data")
            .arg(data)
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        (child, admin)
    }

    /// A page or whatever else lies there.
    pub(super) fn get(&self, target: &str) -> Reply {
        self.get_with(target, "")
    }

    /// The same, with header lines, each ended.
    pub(super) fn get_with(&self, target: &str, headers: &str) -> Reply {
        let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
        self.say(head.as_bytes()).expect("no answer")
    }

    /// A page; again where the machine was too busy for it.
    pub(super) fn page(&self, target: &str, headers: &str) -> Reply {
        let mut reply = self.get_with(target, headers);
        for _ in 0..50 {
            if reply.status != 503 {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
            reply = self.get_with(target, headers);
        }
        reply
    }

    /// Sends these bytes over a connection of their own and reads what comes back.
    pub(super) fn say(&self, bytes: &[u8]) -> Option<Reply> {
        let mut stream = self.connect();
        // It may answer, and close, before it has read all.
        let _ = stream.write_all(bytes);
        Reply::read(&mut stream)
    }

    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes over the admin socket.
    pub(super) fn ask(&self, bytes: &[u8]) -> Reply {
        let mut stream = UnixStream::connect(&self.admin).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).unwrap();
        Reply::read(&mut stream).expect("no answer")
    }

    /// Gives an order, whatever is answered.
    pub(super) fn order(&self, order: &Value) -> Reply {
        let body = order.to_string();
        let head = "POST /v1/strategy HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length";
        self.ask(format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes())
    }

    /// Its resident memory in KiB.
    pub(super) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Seconds that it has been on a processor.
    pub(super) fn processor(&self) -> f64 {
        super::swaps::processor(&self.id().to_string())
    }

    fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// What lies there for operators.
    pub(super) fn operator_get(&self, target: &str) -> Reply {
        self.ask(format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
    }

    /// How the service is doing.
    pub(super) fn state(&self) -> Value {
        self.operator_get("/readyz").json()
    }

    /// Sends a signal.
    pub(super) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Waits for it to end.
    pub(super) fn wait(mut self) -> Output {
        self.child.take().unwrap().wait_with_output().unwrap()
    }

    /// Waits until it has logged this message, and returns the last such line.
    pub(super) fn logged(&self, message: &str) -> Value {
        for _ in 0..600 {
            let logs = self.logs.lock().unwrap();
            if let Some(line) = logs.iter().rev().find(|line| line["message"] == message) {
                return line.clone();
            }
            drop(logs);
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("it never logged {message:?}: {:?}", self.logs.lock().unwrap());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Reply {
    /// Reads one answer whole. None where the other side closed without a word; a panic where it did so in the
    /// middle of one.
    pub(super) fn read(stream: &mut impl Read) -> Option<Self> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 16 << 10];
        loop {
            if let Some(reply) = Self::parse(&bytes) {
                return Some(reply);
            }
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => bytes.extend_from_slice(&buffer[..read]),
                Err(error) if bytes.is_empty() && error.kind() != std::io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error} after {} bytes", bytes.len()),
            }
        }
        assert!(
            bytes.is_empty(),
            "half an answer: {}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(300)])
        );
        None
    }

    /// Reads answers slowly until the other side closes: how many, each whole. A panic where the last is not.
    pub(super) fn read_slowly(stream: &mut impl Read) -> u64 {
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..read]);
            std::thread::sleep(Duration::from_millis(1));
        }
        let (mut rest, mut whole) = (&bytes[..], 0);
        while !rest.is_empty() {
            let end = rest.windows(4).position(|window| window == b"\r\n\r\n").expect("half a head");
            let head = std::str::from_utf8(&rest[..end]).unwrap().to_ascii_lowercase();
            let length =
                head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap();
            let answer = end + 4 + length.parse::<usize>().unwrap();
            assert!(rest.len() >= answer, "half an answer: {} of {answer} bytes", rest.len());
            rest = &rest[answer..];
            whole += 1;
        }
        whole
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut reply = Self { status, headers, body: bytes[end + 4..].to_vec() };
        if status == 304 {
            return Some(reply);
        }
        if let Some(length) = reply.header("content-length") {
            let length: usize = length.parse().unwrap();
            return (reply.body.len() == length).then_some(reply);
        }
        assert_eq!(reply.header("transfer-encoding"), Some("chunked"));
        reply.body = unchunked(&reply.body)?;
        Some(reply)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Asserts that it is this problem, told as all are.
    pub(super) fn is_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["type"], format!("urn:keyhole:problem:{code}"), "{problem}");
        assert_eq!((&problem["code"], &problem["status"]), (&code.into(), &status.into()), "{problem}");
        let soon = matches!(status, 429 | 503);
        assert_eq!(self.header("retry-after").is_some(), soon, "{self:?}");
    }

    /// The address in its `Link` header with this relation.
    pub(super) fn link(&self, relation: &str) -> Option<String> {
        let links = self.header("link")?;
        let one = links.split(", ").find(|link| link.ends_with(&format!("; rel=\"{relation}\"")))?;
        Some(one.strip_prefix('<')?.split_once('>')?.0.to_owned())
    }
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        let chunk = rest.get(end + 2..end + 2 + length)?;
        rest = rest.get(end + 4 + length..)?;
        if length == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(chunk);
    }
}

/// Sends nothing more over a connection.
pub(super) fn end(stream: &TcpStream) {
    // It may be closed already.
    let _ = stream.shutdown(Shutdown::Write);
}
