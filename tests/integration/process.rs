//! The binary itself: how it starts, stops, logs and refuses a wrong configuration.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rocket::serde::json::{Value, serde_json};
use tempfile::tempdir;

use crate::support::{Server, client, command};

/// Runs a command that ends by itself, and kills it if it does not.
pub fn run(command: &mut Command) -> Output {
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while process.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            process.kill().unwrap();
            panic!("it still runs: {:?}", process.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    process.wait_with_output().unwrap()
}

/// The one line with which the app refuses to start.
#[track_caller]
fn refusal(command: &mut Command) -> String {
    let output = run(command);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr
}

/// Waits until `is_so`.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A server that has answered a request. One that only says that it listens may not yet heed signals.
fn serving(folder: &Path) -> Server {
    let server = Server::start(folder);
    let mut stream = connect(&server);
    stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    read_until(&mut stream, "ready\n");
    server
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Reads until `text` came.
fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let (mut read, mut buffer) = (String::new(), [0; 4096]);
    while !read.contains(text) {
        let length = stream.read(&mut buffer).unwrap();
        assert_ne!(length, 0, "the connection was closed after {read:?}");
        read.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    read
}

// Stopping

/// How long Rocket waits for a connection that is at work: a server that is idle must not wait at all. It takes some
/// 60 ms, but a busy machine's disk may make it longer.
const GRACE: Duration = Duration::from_secs(2);

#[test]
fn a_signal_stops_an_idle_server_at_once_and_in_good_order() {
    for signal in ["TERM", "INT"] {
        let folder = tempdir().unwrap();
        let (status, took) = serving(folder.path()).stop(signal);
        assert_eq!(status.code(), Some(0), "{signal}");
        assert!(took < GRACE, "{signal}: {took:?}");
    }
}

#[test]
fn an_idle_connection_does_not_keep_a_server_from_stopping() {
    for signal in ["TERM", "INT"] {
        let folder = tempdir().unwrap();
        let server = Server::start(folder.path());
        let mut idle = connect(&server);
        idle.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        read_until(&mut idle, "live\n");
        let (status, took) = server.stop(signal);
        assert_eq!(status.code(), Some(0), "{signal}");
        assert!(took < GRACE, "{signal}: {took:?}");
    }
}

#[test]
fn a_request_under_way_is_finished_before_a_server_stops() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let mut under_way = connect(&server);
    let body = r#"{"title": "Under way"}"#;
    let head =
        "POST /api/todos HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n";
    write!(under_way, "{head}Content-Length: {}\r\n\r\n", body.len()).unwrap();
    // The handler asks for the body, so it is at work.
    read_until(&mut under_way, "100 Continue");

    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let stopping = std::thread::spawn(|| server.stop("TERM"));
    eventually("no new connections", || TcpStream::connect(&address).is_err());
    under_way.write_all(body.as_bytes()).unwrap();
    let answer = read_until(&mut under_way, "Under way");
    assert!(answer.contains("201 Created"), "{answer}");
    assert_eq!(stopping.join().unwrap().0.code(), Some(0));

    let after = Server::start(folder.path());
    let mut reader = connect(&after);
    reader.write_all(b"GET /api/todos HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    read_until(&mut reader, "Under way");
}

// Health

#[rocket::async_test]
async fn a_running_server_is_live_and_ready() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    for (path, says) in [("live", "live\n"), ("ready", "ready\n")] {
        let answer = client().get(format!("{}/health/{path}", server.url)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.text().await.unwrap(), says);
    }
}

#[test]
fn the_health_command_tells_whether_the_app_on_this_machine_is_ready() {
    for address in ["127.0.0.1", "0.0.0.0"] {
        let folder = tempdir().unwrap();
        let mut start = command(folder.path());
        start.env("ROCKET_ADDRESS", address);
        let server = Server::start_with(start);
        let port = server.url.rsplit(':').next().unwrap().to_owned();
        let health = || {
            let mut health = command(folder.path());
            health.arg("health").env("ROCKET_ADDRESS", address).env("ROCKET_PORT", &port);
            health
        };
        let output = run(&mut health());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(server.stop("TERM").0.code(), Some(0));
        assert!(refusal(&mut health()).contains("is not ready"));
    }
}

#[test]
fn an_unknown_argument_is_answered_with_the_usage() {
    let folder = tempdir().unwrap();
    let output = run(command(folder.path()).arg("helth"));
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("Usage:"));
    for flag in ["--help", "--version"] {
        assert_eq!(run(command(folder.path()).arg(flag)).status.code(), Some(0), "{flag}");
    }
}

// Starting

#[test]
fn two_copies_that_start_at_once_on_an_empty_folder_both_serve() {
    for _ in 0..10 {
        let folder = tempdir().unwrap();
        let path = folder.path();
        let servers = std::thread::scope(|threads| {
            let starts = [(); 2].map(|()| threads.spawn(move || Server::start(path)));
            starts.map(|start| start.join().expect("it listens"))
        });
        for server in &servers {
            let mut ready = connect(server);
            ready.write_all(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            read_until(&mut ready, "ready\n");
        }
    }
}

#[rocket::async_test]
async fn a_list_outlives_its_server() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let fields = [("title", "Still here")];
    let answer = client().post(format!("{}/items", server.url)).form(&fields).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(server.stop("TERM").0.code(), Some(0));
    let server = Server::start(folder.path());
    let page = client().get(&server.url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Still here"), "{page}");
}

#[rocket::async_test]
async fn the_longest_item_in_the_longest_writing_fits_in_a_form_and_in_json() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let [title, description] = ["🦀".repeat(200), "🦀".repeat(5_000)];
    let form = client().post(format!("{}/items", server.url));
    let form = form.form(&[("title", &title), ("description", &description)]);
    assert_eq!(form.send().await.unwrap().status(), 303);
    let [title, description] = [r"\ud83e\udd80".repeat(200), r"\ud83e\udd80".repeat(5_000)];
    let json = client().post(format!("{}/api/todos", server.url)).header("Content-Type", "application/json");
    let json = json.body(format!(r#"{{"title": "{title}", "description": "{description}"}}"#));
    assert_eq!(json.send().await.unwrap().status(), 201);
}

#[test]
fn a_folder_that_is_not_there_is_made() {
    let folder = tempdir().unwrap();
    Server::start(&folder.path().join("a/b"));
    assert!(folder.path().join("a/b/todo.db").is_file());
}

#[test]
fn a_rocket_toml_in_the_current_folder_is_ignored() {
    let folder = tempdir().unwrap();
    let toml = "[default]\naddress = \"nowhere\"\nkeep_alive = \"soon\"\nident = \"elsewhere\"\n";
    std::fs::write(folder.path().join("Rocket.toml"), toml).unwrap();
    let mut start = command(folder.path());
    start.current_dir(folder.path());
    let server = Server::start_with(start);
    assert!(server.url.contains("//127.0.0.1:"), "{}", server.url);
}

// A wrong configuration

#[test]
fn a_variable_with_a_wrong_value_is_named_in_one_line() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("garbage"), "This is no database. ".repeat(100)).unwrap();
    let file = |name: &str| format!("sqlite:{}/{name}", path.display());
    for (variable, value) in [
        ("ROCKET_PORT", "abc"),
        ("ROCKET_PORT", "65536"),
        ("ROCKET_PORT", "\"8000\""),
        ("ROCKET_ADDRESS", "nowhere"),
        ("ROCKET_WORKERS", "many"),
        ("ROCKET_PROFILE", "'release'"),
        ("DATABASE_URL", "mysql://u:secret@h/x"),
        ("DATABASE_URL", "todo.db"),
        ("DATABASE_URL", "sqlite::memory:"),
        ("DATABASE_URL", "sqlite:x.db?mode=memory"),
        ("DATABASE_URL", "sqlite:x.db?nonsense=1"),
        ("DATABASE_URL", "'sqlite:x.db'"),
        ("DATABASE_URL", &file("")),
        ("DATABASE_URL", &file("garbage")),
        ("DATABASE_URL", &file("garbage/todo.db")),
        ("DATABASE_URL", "sqlite:/proc/nowhere/todo.db"),
        ("LOG_FORMAT", "xml"),
        ("RUST_LOG", "a=b=c"),
        ("CORS_ORIGINS", "https://a/b"),
        ("CORS_ORIGINS", "https://a.example, friend.example"),
        ("CORS_ORIGINS", "*"),
        ("TZ", "Mars/City"),
        ("ASSETS_DIR", "/nowhere"),
    ] {
        let line = refusal(command(path).current_dir(path).env(variable, value));
        assert!(line.contains(variable), "{variable}={value}: {line}");
        assert!(!line.contains("secret"), "{line}");
    }
}

#[test]
fn a_variable_that_is_not_utf_8_is_named_in_one_line() {
    let folder = tempdir().unwrap();
    for variable in
        ["ROCKET_PORT", "ROCKET_ADDRESS", "DATABASE_URL", "LOG_FORMAT", "RUST_LOG", "CORS_ORIGINS", "TZ", "ASSETS_DIR"]
    {
        let line = refusal(command(folder.path()).env(variable, OsStr::from_bytes(b"\xff")));
        assert!(line.contains(variable) && line.contains("UTF-8"), "{variable}: {line}");
    }
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let folder = tempdir().unwrap();
    let mut start = command(folder.path());
    for variable in ["CORS_ORIGINS", "RUST_LOG", "LOG_FORMAT", "TZ"] {
        start.env(variable, "");
    }
    Server::start_with(start);
}

#[test]
fn a_database_that_cannot_be_written_is_refused_at_the_start() {
    let folder = tempdir().unwrap();
    let made = serving(folder.path());
    assert_eq!(made.stop("TERM").0.code(), Some(0));
    let url = format!("sqlite:{}?mode=ro", folder.path().join("todo.db").display());
    let line = refusal(command(folder.path()).env("DATABASE_URL", url));
    assert!(line.contains("DATABASE_URL") && line.contains("readonly"), "{line}");
}

#[test]
fn a_port_in_use_is_named_in_one_line() {
    let folder = tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let line = refusal(command(folder.path()).env("ROCKET_PORT", &port));
    assert!(line.contains("ROCKET_PORT") && line.contains(&port), "{line}");
}

// The log

/// Texts that must never be in a log, each in a request of its own.
async fn sends_private_texts(server: &Server) {
    let (client, url) = (client(), &server.url);
    let form = |path: String, title: &str, due: &str| {
        let fields = [("title", title.to_owned()), ("description", "PRIVATE-d".to_owned()), ("due", due.to_owned())];
        client.post(format!("{url}{path}")).form(&fields).send()
    };
    let json = |method, path: String, body: &str| {
        let request = client.request(method, format!("{url}/api/todos{path}"));
        request.header("Content-Type", "application/json").body(body.to_owned()).send()
    };
    use reqwest::Method;
    let answer = json(Method::POST, String::new(), r#"{"title": "PRIVATE-1"}"#).await.unwrap();
    let todo: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let id = todo["id"].as_str().unwrap();
    form("/items".into(), "PRIVATE-2", "").await.unwrap();
    form("/items".into(), "PRIVATE-3", "PRIVATE-due").await.unwrap();
    form(format!("/items/{id}"), "PRIVATE-4\0", "").await.unwrap();
    form(format!("/items/{id}"), "PRIVATE-5", "").await.unwrap();
    for body in [r#"{"title": "PRIVATE-6", "due": "PRIVATE-7"}"#, r#"{"status": "PRIVATE-8"}"#, r#""PRIVATE-9"#] {
        json(Method::POST, String::new(), body).await.unwrap();
        json(Method::PATCH, format!("/{id}"), body).await.unwrap();
    }
    client.get(format!("{url}/?q=PRIVATE-q&status=PRIVATE-s")).send().await.unwrap();
    client.get(format!("{url}/api/todos?limit=PRIVATE-l")).send().await.unwrap();
    let status = client.post(format!("{url}/items/{id}/status?q=PRIVATE-q")).form(&[("status", "PRIVATE-s")]);
    status.send().await.unwrap();
    client.post(format!("{url}/items/{id}/place")).form(&[("before", "PRIVATE/b")]).send().await.unwrap();
}

#[rocket::async_test]
async fn no_title_description_or_search_is_logged_unless_rust_log_asks_for_more() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    sends_private_texts(&server).await;
    let log = all_said(server);
    assert!(log.contains("status=422"), "{log}");
    let leaks: Vec<_> = log.lines().filter(|line| line.contains("PRIVATE")).collect();
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

/// Makes a server log one last line, and gives all that it has said.
pub fn all_said(server: Server) -> String {
    let last = "/health/live";
    let mut stream = connect(&server);
    write!(stream, "GET {last} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    eventually("the last line", || server.output().contains(last));
    server.output()
}

#[rocket::async_test]
async fn a_json_log_has_one_line_a_request_with_what_one_searches_for() {
    let folder = tempdir().unwrap();
    let mut start = command(folder.path());
    start.env("LOG_FORMAT", "json");
    let server = Server::start_with(start);
    let mut expected = BTreeMap::new();
    for (path, route, status) in [
        ("/", "/?<view..>", 200),
        ("/?q=tea", "/?<view..>", 200),
        ("/items/unknown", "/items/<id>?<view..>", 404),
        ("/api/todos", "/api/todos?<listing..>", 200),
        ("/nowhere", "none", 404),
    ] {
        let answer = client().get(format!("{}{path}", server.url)).send().await.unwrap();
        let id = answer.headers()["X-Request-Id"].to_str().unwrap().to_owned();
        expected.insert(id, (route.to_owned(), status));
    }
    let log = all_said(server);
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let requests = lines.iter().filter(|line| line["message"] == "request" && line["route"] != "/health/live");
    let logged: BTreeMap<_, _> = requests
        .clone()
        .map(|line| {
            assert_eq!(line["method"], "GET");
            assert!(line["ms"].is_number() && line["timestamp"].is_string(), "{line}");
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            (text("id"), (text("route"), line["status"].as_i64().unwrap()))
        })
        .collect();
    assert_eq!(logged, expected);
    assert_eq!(requests.count(), expected.len(), "one line each");
}

/// The binary in a shell that runs `before` first.
pub fn in_a_shell(folder: &Path, before: &str) -> Command {
    let app = command(folder);
    let mut shell = Command::new("/bin/sh");
    let binary = app.get_program().to_str().unwrap();
    shell.args(["-c", &format!("{before}; exec '{binary}'")]).env_clear();
    shell.envs(app.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

#[rocket::async_test]
async fn with_a_stop_delay_a_server_is_not_ready_but_still_answers_after_the_signal() {
    let folder = tempdir().unwrap();
    let mut starts = command(folder.path());
    starts.env("STOP_DELAY", "2");
    let server = Server::start_with(starts);
    let get = |path: &str| client().get(format!("{}{path}", server.url)).send();
    assert_eq!(get("/health/ready").await.unwrap().status(), 200);
    assert!(Command::new("kill").arg(server.pid().to_string()).status().unwrap().success());
    eventually("it is about to stop", || server.output().contains("stopping"));
    assert_eq!(get("/health/ready").await.unwrap().status(), 503);
    assert_eq!(get("/").await.unwrap().status(), 200);
}
