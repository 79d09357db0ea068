//! The service as a process: it serves, backs itself up on request and on a schedule, drains, and begins from a backup.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const TOKEN: &str = "a token that nobody guesses";

struct Service {
    process: Child,
    out: BufReader<ChildStdout>,
    address: String,
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Service {
    fn start(data: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-service-example"));
        command.env("DATA", data).env("LISTEN", "127.0.0.1:0").env("BACKUP_TOKEN", TOKEN);
        command.env("BACKUP_EVERY", "0").envs(settings.iter().copied());
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert!(out.read_line(&mut line).unwrap() > 0, "the service ended before it listened");
            if let Some(address) = line.trim().strip_prefix("listening on ") {
                break address.to_owned();
            }
        };
        Self { process, out, address }
    }

    fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        self.ask_as(&self.address, method, path, headers, body)
    }

    fn ask_as(&self, host: &str, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}");
        write!(connection, "{head}Content-Length: {length}\r\n\r\n").unwrap();
        connection.write_all(body).unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|at| at == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_lowercase(), body: answer[end + 4..].to_vec() }
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", b"")
    }

    fn put(&self, key: &str, value: &str) -> u16 {
        self.ask("PUT", &format!("/pairs/{key}"), "", value.as_bytes()).status
    }

    fn with_token(&self, method: &str, path: &str) -> Answer {
        self.ask(method, path, &format!("Authorization: Bearer {TOKEN}\r\n"), b"")
    }

    /// Asks about a backup until it has ended.
    fn ended(&self, place: &str) -> Value {
        let began = Instant::now();
        loop {
            let status = self.with_token("GET", place).json();
            if status["state"] != "running" {
                return status;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{status}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks it to end, as a supervisor does, and hands over the rest of what it printed.
    fn end(mut self) -> String {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        assert!(self.process.wait().unwrap().success(), "{rest}");
        rest
    }
}

#[test]
fn it_serves_backs_itself_up_drains_and_begins_again_from_a_backup() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let service = Service::start(&data, &[]);
    for i in 0..200 {
        assert_eq!(service.put(&format!("key-{i}"), &format!("value {i}")), 201);
    }
    assert_eq!(service.put("key-7", "another"), 204);
    assert_eq!(service.get("/pairs/key-7").body, b"another");
    assert_eq!(service.ask("DELETE", "/pairs/key-8", "", b"").status, 204);
    assert_eq!(service.get("/pairs/key-8").status, 404);

    // Backups are for those who know the token.
    for headers in
        ["", "Authorization: Bearer wrong\r\n", "Authorization: Basic YTpi\r\n", "Authorization: Bearer\r\n"]
    {
        for (method, path) in [("POST", "/db/backup"), ("GET", "/db/backup/1")] {
            let answer = service.ask(method, path, headers, b"");
            assert_eq!(answer.status, 401, "{headers}");
            assert!(answer.head.contains("www-authenticate: bearer"));
        }
    }
    assert!(!data.join("backups").exists(), "nobody who may has asked yet");

    let begun = service.with_token("POST", "/db/backup");
    assert_eq!(begun.status, 202);
    let place = begun.json()["status"].as_str().unwrap().to_owned();
    assert!(begun.head.contains(&format!("location: {place}")));
    let first = service.ended(&place);
    assert_eq!(first["state"], "done", "{first}");
    assert_eq!(first["snapshot"]["entries"], 199);
    assert_eq!(service.with_token("GET", "/db/backup/77").status, 404);

    // An increment is in proportion to the change.
    service.put("key-9", "later");
    let second = service.ended(service.with_token("POST", "/db/backup").json()["status"].as_str().unwrap());
    let added = |status: &Value| status["snapshot"]["bytes_added"].as_u64().unwrap();
    assert!(added(&second) < added(&first), "{second}");

    let metrics = String::from_utf8(service.get("/metrics").body).unwrap();
    assert!(metrics.contains("strongroom_backups_total{result=\"done\"} 2\n"), "{metrics}");
    assert!(metrics.contains("strongroom_backup_last_entries 199\n"), "{metrics}");
    assert!(metrics.contains("service_writes_total 203\n"), "{metrics}");
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }

    // What is acknowledged is there after the end, and a restore never replaces it.
    service.put("key-10", "after the last backup");
    let rest = service.end();
    assert!(rest.contains("draining") && rest.contains("done"), "{rest}");
    let refused = Command::new(env!("CARGO_BIN_EXE_strongroom-service-example"))
        .env("DATA", &data)
        .env("RESTORE", "latest")
        .output()
        .unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is there already"));

    std::fs::rename(data.join("app.redb"), dir.path().join("before.redb")).unwrap();
    let service = Service::start(&data, &[("RESTORE", "latest"), ("BACKUP_EVERY", "1")]);
    assert_eq!(service.get("/pairs/key-7").body, b"another");
    assert_eq!(service.get("/pairs/key-8").status, 404);
    assert_eq!(service.get("/pairs/key-9").body, b"later");
    assert_eq!(service.get("/pairs/key-10").body, b"value 10");
    for i in 11..200 {
        assert_eq!(service.get(&format!("/pairs/key-{i}")).body, format!("value {i}").into_bytes());
    }

    // By itself, as something was written.
    service.put("key-11", "on a schedule");
    let began = Instant::now();
    let scheduled = loop {
        let status = service.with_token("GET", "/db/backup/1");
        if status.status == 200 && status.json()["state"] == "done" {
            break status.json();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "no backup by itself");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(scheduled["asked_by"], "schedule");
    service.end();
}

#[test]
fn one_backup_at_a_time_and_the_end_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start(dir.path(), &[]);
    let value = "x".repeat(1 << 20);
    for i in 0..64 {
        // Every value is another one.
        assert_eq!(service.put(&format!("{i}"), &format!("{i}{value}")), 201);
    }
    let begun = service.with_token("POST", "/db/backup").json();
    // Whoever asks meanwhile is told which one runs; one that has ended already would make this a second one.
    let again = service.with_token("POST", "/db/backup");
    match again.status {
        409 => assert_eq!(again.json()["status"], begun["status"]),
        202 => {
            assert_eq!(service.with_token("GET", begun["status"].as_str().unwrap()).json()["state"], "done")
        }
        other => panic!("{other}"),
    }
    service.end();
    let service = Service::start(dir.path(), &[]);
    let made = service.ended(service.with_token("POST", "/db/backup").json()["status"].as_str().unwrap());
    assert_eq!(made["snapshot"]["entries"], 64, "{made}");
    assert!(made["snapshot"]["parent"].is_string(), "the first was finished before the end: {made}");
    service.end();
}

#[test]
fn without_a_token_of_its_own_nobody_may_ask() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start(dir.path(), &[("BACKUP_TOKEN", "")]);
    for headers in ["", "Authorization: Bearer \r\n"] {
        assert_eq!(service.ask("POST", "/db/backup", headers, b"").status, 401);
    }
    service.end();
}

#[test]
fn a_client_that_says_nothing_does_not_keep_it_from_ending() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start(dir.path(), &[("DRAIN", "1")]);
    assert_eq!(service.put("key", "value"), 201);
    let mut slow = TcpStream::connect(&service.address).unwrap();
    slow.write_all(b"PUT /pairs/other HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        .unwrap();
    // Its request has begun once another one is answered.
    assert_eq!(service.get("/pairs/key").body, b"value");
    let began = Instant::now();
    service.end();
    assert!(began.elapsed() < Duration::from_secs(8));
    let service = Service::start(dir.path(), &[]);
    assert_eq!((service.get("/pairs/key").status, service.get("/pairs/other").status), (200, 404));
    service.end();
}

#[test]
fn a_page_whose_name_leads_here_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start(dir.path(), &[("HOSTS", "pairs.example, other.example")]);
    for (host, known) in [
        ("localhost", true),
        ("LOCALHOST:8080", true),
        ("127.0.0.1", true),
        ("[::1]:8080", true),
        ("Pairs.example:443", true),
        ("other.example", true),
        ("attacker.example", false),
        ("localhost.attacker.example", false),
        ("127.0.0.1.attacker.example", false),
        ("", false),
    ] {
        for (method, path) in
            [("GET", "/pairs/a"), ("PUT", "/pairs/a"), ("POST", "/db/backup"), ("GET", "/metrics")]
        {
            let answer = service.ask_as(host, method, path, "", b"");
            assert_eq!(answer.status != 421, known, "{method} {path} as {host:?}: {}", answer.status);
        }
    }
    service.end();
}

#[test]
fn the_data_is_for_this_machine_or_for_who_knows_its_token() {
    let dir = tempfile::tempdir().unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_strongroom-service-example"))
        .env("DATA", dir.path())
        .env("LISTEN", "0.0.0.0:0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("PAIRS_TOKEN"), "{said}");

    let service = Service::start(dir.path(), &[("LISTEN", "0.0.0.0:0"), ("PAIRS_TOKEN", "secret")]);
    let backup_token = format!("Authorization: Bearer {TOKEN}\r\n");
    for (headers, status) in [
        ("", 401),
        ("Authorization: Bearer wrong\r\n", 401),
        (backup_token.as_str(), 401),
        ("Authorization: Bearer secret\r\n", 404),
    ] {
        assert_eq!(service.ask("GET", "/pairs/a", headers, b"").status, status, "{headers}");
    }
    assert_eq!(service.ask("POST", "/db/backup", "Authorization: Bearer secret\r\n", b"").status, 401);
    service.end();
}

#[test]
fn a_head_that_never_ends_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start(dir.path(), &[]);
    let mut slow = TcpStream::connect(&service.address).unwrap();
    slow.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
    slow.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    // A byte now and then does not keep it open.
    let ended = (0..120).any(|_| {
        let _ = slow.write_all(b"X");
        match slow.read(&mut [0; 256]) {
            Ok(_) => true,
            Err(e) => e.kind() != std::io::ErrorKind::WouldBlock,
        }
    });
    assert!(ended, "it was still open after a minute");
    service.end();
}
