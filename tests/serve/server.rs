//! A running `keyhole serve`, and a client that says exactly what it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Place;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is found once it is there; a panic with `never` where it does not come.
pub(crate) fn eventually<T>(never: impl Fn() -> String, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < 4 * PATIENCE, "{}", never());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The process.
pub(crate) struct Server {
    child: Option<Child>,
    pub(crate) address: SocketAddr,
    pub(crate) admin: PathBuf,
    logs: Arc<Mutex<Vec<Value>>>,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Server {
    /// Starts one on a log, with options besides those that every test needs.
    pub(crate) fn start(place: &Place, data: &Path, options: &[&str]) -> Self {
        let server = Self::listening(place, data, options);
        server.logged("serving");
        server
    }

    /// The same, which may have to fill its strategy's scratch first.
    pub(crate) fn listening(place: &Place, data: &Path, options: &[&str]) -> Self {
        Self::try_listening(place, data, options).unwrap_or_else(|said| panic!("{said}"))
    }

    /// The same, or the error that it ended with before it listened.
    pub(crate) fn try_listening(place: &Place, data: &Path, options: &[&str]) -> Result<Self, Value> {
        let (mut child, admin) = Self::spawn(place, data, "127.0.0.1:0", options);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("it ended before it listened").unwrap();
            let said: Value = serde_json::from_str(&line).unwrap();
            if !said["code"].is_null() {
                child.wait().unwrap();
                return Err(said);
            }
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
        Ok(Self { child: Some(child), address, admin, logs })
    }

    /// One that logs nothing but warnings, and serves: for measurements, which no log shall disturb.
    pub(crate) fn quiet(place: &Place, data: &Path, options: &[&str]) -> Self {
        // Free a moment ago; it does not say which one it takes.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let options = [options, &["--quiet"]].concat();
        let (mut child, admin) = Self::spawn(place, data, &address.to_string(), &options);
        let mut errors = child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::stderr()));
        let server = Self { child: Some(child), address, admin, logs: Arc::default() };
        let ready = || TcpStream::connect(address).is_ok() && server.get("/readyz").status == 200;
        eventually(|| "it is never ready".to_owned(), || ready().then_some(()));
        server
    }

    fn spawn(place: &Place, data: &Path, listen: &str, options: &[&str]) -> (Child, PathBuf) {
        let admin = place.path("admin.sock");
        let mut command = place.keyhole();
        command.args(["--json", "serve", "--listen", listen]).args(options);
        command.arg("--admin").arg(&admin).arg("--data").arg(data);
        (command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(), admin)
    }

    /// A page or whatever else lies there.
    pub(crate) fn get(&self, target: &str) -> Reply {
        self.get_with(target, "")
    }

    /// The same, with header lines, each ended.
    pub(crate) fn get_with(&self, target: &str, headers: &str) -> Reply {
        self.say(request("GET", target, &format!("Connection: close\r\n{headers}"), "")).expect("no answer")
    }

    /// A page; again where the machine was too busy for it.
    pub(crate) fn page(&self, target: &str, headers: &str) -> Reply {
        let mut left = 1_000;
        eventually(String::new, || {
            left -= 1;
            Some(self.get_with(target, headers)).filter(|reply| reply.status != 503 || left < 0)
        })
    }

    /// Sends these bytes over a connection of their own and reads what comes back.
    pub(crate) fn say(&self, bytes: impl AsRef<[u8]>) -> Option<Reply> {
        let mut stream = self.connect();
        // It may answer, and close, before it has read all.
        let _ = stream.write_all(bytes.as_ref());
        Reply::read(&mut stream)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends a request over the admin socket, which no host is asked of.
    fn ask(&self, request: &str) -> Reply {
        let request = request.replacen("localhost", "x", 1);
        let mut stream = UnixStream::connect(&self.admin).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        Reply::read(&mut stream).expect("no answer")
    }

    /// Gives an order, whatever is answered.
    pub(crate) fn order(&self, order: &Value) -> Reply {
        self.order_text(&order.to_string())
    }

    /// The same, of which nobody knows whether it is one.
    pub(crate) fn order_text(&self, order: &str) -> Reply {
        self.ask(&request("POST", "/v1/strategy", "Connection: close\r\n", order))
    }

    /// What lies there for operators.
    pub(crate) fn operator_get(&self, target: &str) -> Reply {
        self.ask(&request("GET", target, "Connection: close\r\n", ""))
    }

    /// How the service is doing.
    pub(crate) fn state(&self) -> Value {
        self.operator_get("/readyz").json()
    }

    /// Its resident memory in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Seconds that it has been on a processor.
    pub(crate) fn processor(&self) -> f64 {
        processor(&self.id().to_string())
    }

    fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Waits for it to end.
    pub(crate) fn wait(mut self) -> Output {
        self.child.take().unwrap().wait_with_output().unwrap()
    }

    /// Waits until it has logged this message, and returns the last such line.
    pub(crate) fn logged(&self, message: &str) -> Value {
        eventually(
            || format!("it never logged {message:?}: {:?}", self.logs.lock().unwrap()),
            || self.logs.lock().unwrap().iter().rev().find(|line| line["message"] == message).cloned(),
        )
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

/// A request for this machine.
pub(crate) fn request(method: &str, target: &str, headers: &str, body: &str) -> String {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}{length}\r\n{body}")
}

/// A page's request over a connection that stays.
pub(crate) fn page_request(query: &str) -> String {
    request("GET", &format!("/v1/events?{query}"), "", "")
}

impl Reply {
    /// Reads one answer whole. None where the other side closed without a word; a panic where it did so in the
    /// middle of one.
    pub(crate) fn read(stream: &mut impl Read) -> Option<Self> {
        let (mut bytes, mut buffer) = (Vec::new(), [0; 16 << 10]);
        loop {
            if let Some((reply, rest)) = Self::parse(&bytes) {
                assert!(rest.is_empty(), "more than an answer: {rest:?}");
                return Some(reply);
            }
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => bytes.extend_from_slice(&buffer[..read]),
                Err(error) if bytes.is_empty() && error.kind() != std::io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error} after {} bytes", bytes.len()),
            }
        }
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]);
        assert!(bytes.is_empty(), "half an answer: {shown}");
        None
    }

    /// Reads answers slowly until the other side closes: how many, each whole. A panic where the last is not.
    pub(crate) fn read_slowly(stream: &mut impl Read) -> u64 {
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..read]);
            std::thread::sleep(Duration::from_millis(1));
        }
        let (mut rest, mut whole) = (&bytes[..], 0);
        while !rest.is_empty() {
            rest = Self::parse(rest).unwrap_or_else(|| panic!("half an answer: {} bytes", rest.len())).1;
            whole += 1;
        }
        whole
    }

    /// The first answer of these bytes and the rest of them; None where it is not whole.
    fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let (head, rest) = (std::str::from_utf8(&bytes[..end]).unwrap(), &bytes[end + 4..]);
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let mut reply = Self { status, headers, body: Vec::new() };
        let rest = if status == 304 {
            rest
        } else if let Some(length) = reply.header("content-length") {
            let (body, rest) = rest.split_at_checked(length.parse().unwrap())?;
            reply.body = body.to_vec();
            rest
        } else {
            assert_eq!(reply.header("transfer-encoding"), Some("chunked"));
            unchunk(rest, &mut reply.body)?
        };
        Some((reply, rest))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Asserts that it is this problem, told as all are.
    pub(crate) fn is_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["type"], format!("urn:keyhole:problem:{code}"), "{problem}");
        assert_eq!((&problem["code"], &problem["status"]), (&code.into(), &status.into()), "{problem}");
        let soon = matches!(status, 429 | 503);
        assert_eq!(self.header("retry-after").is_some(), soon, "{self:?}");
    }

    /// The address in its `Link` header with this relation.
    pub(crate) fn link(&self, relation: &str) -> Option<String> {
        let links = self.header("link")?;
        let one = links.split(", ").find(|link| link.ends_with(&format!("; rel=\"{relation}\"")))?;
        Some(one.strip_prefix('<')?.split_once('>')?.0.to_owned())
    }
}

/// Puts the chunks together; what comes after them.
fn unchunk<'a>(mut rest: &'a [u8], whole: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        whole.extend_from_slice(rest.get(end + 2..end + 2 + length)?);
        rest = rest.get(end + 4 + length..)?;
        if length == 0 {
            return Some(rest);
        }
    }
}

/// Seconds that a process has been on a processor.
pub(crate) fn processor(id: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}
