//! What goes wrong: a store that fails or panics, a full disk, a kill at the worst moment.

use std::collections::HashSet;
use std::io::Error as IoError;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rocket::async_trait;
use rocket::http::Method::{Delete, Get, Patch, Post};
use rocket::serde::json::{Value, serde_json};
use rocket::tokio;
use rocket::tokio::io::{AsyncReadExt, AsyncWriteExt};
use rocket::tokio::net::TcpStream;
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use todo_app::item::{Changes, DeletionId, Item, ItemId, NewItem, Version};
use todo_app::store::{Board, BoardQuery, Deleted, Error, Place, Result, Store, Which};

use crate::app::{Answer, App, FORM};
use crate::process::{eventually, in_a_shell};
use crate::support::{Server, client, command};

/// A store that does nothing but this.
#[derive(Debug)]
enum Broken {
    Fails,
    Panics,
}

impl Broken {
    fn answer<T>(&self) -> Result<T> {
        match self {
            Self::Fails => Err(Error::Unavailable(Box::new(IoError::other("the disk is on fire")))),
            Self::Panics => panic!("a bug in the store"),
        }
    }

    async fn app(self, profile: rocket::figment::Profile) -> App {
        App::on(Arc::new(self), |config| config.rocket.profile = profile).await
    }
}

#[async_trait]
impl Store for Broken {
    async fn board(&self, _: &BoardQuery) -> Result<Board> {
        self.answer()
    }
    async fn list(&self, _: Option<&ItemId>, _: u32) -> Result<Vec<Item>> {
        self.answer()
    }
    async fn get(&self, _: &ItemId) -> Result<Item> {
        self.answer()
    }
    async fn add(&self, _: NewItem) -> Result<Item> {
        self.answer()
    }
    async fn update(&self, _: &ItemId, _: Changes, _: Option<Version>) -> Result<Item> {
        self.answer()
    }
    async fn place(&self, _: &ItemId, _: &Place) -> Result<()> {
        self.answer()
    }
    async fn delete(&self, _: Which<'_>) -> Result<DeletionId> {
        self.answer()
    }
    async fn deleted(&self, _: &DeletionId) -> Result<Deleted> {
        self.answer()
    }
    async fn restore(&self, _: &DeletionId) -> Result<()> {
        self.answer()
    }
    async fn ready(&self) -> Result<()> {
        self.answer()
    }
    async fn close(&self) {}
}

const DEVELOPMENT: rocket::figment::Profile = rocket::Config::DEBUG_PROFILE;
const RELEASE: rocket::figment::Profile = rocket::Config::RELEASE_PROFILE;

/// One request to every route that needs the store: pages, then the API.
async fn asks_for_everything(app: &App) -> (Vec<Answer>, Vec<Answer>) {
    let (mut pages, mut problems) = (vec![], vec![]);
    for (method, path, body) in [
        (Get, "/", ""),
        (Get, "/items/x", ""),
        (Post, "/items", "title=t"),
        (Post, "/items", "title="),
        (Post, "/items/x", "title=t"),
        (Post, "/items/x", "title="),
        (Post, "/items/x/status", "status=done"),
        (Post, "/items/x/place", "before=y"),
        (Post, "/items/x/delete", ""),
        (Post, "/done/clear", ""),
        (Post, "/deletions/x/restore", ""),
        (Get, "/health/ready", ""),
    ] {
        pages.push(app.send(method, path, &[FORM], body).await);
    }
    for (method, path, body) in [
        (Get, "/api/todos", ""),
        (Post, "/api/todos", r#"{"title": "t"}"#),
        (Delete, "/api/todos", ""),
        (Get, "/api/todos/x", ""),
        (Patch, "/api/todos/x", r#"{"completed": true}"#),
        (Delete, "/api/todos/x", ""),
    ] {
        problems.push(app.json(method, path, body).await);
    }
    (pages, problems)
}

#[rocket::async_test]
async fn a_store_that_fails_is_told_as_503_with_a_time_to_try_again() {
    let (pages, problems) = asks_for_everything(&Broken::Fails.app(DEVELOPMENT).await).await;
    for answer in pages {
        let answer =
            answer.is(503).shows("The list cannot be reached at the moment. What you sent was most likely not saved.");
        assert_eq!(answer.header("Retry-After"), Some("5"));
        assert!(answer.header("Content-Type").unwrap().starts_with("text/html"));
    }
    for answer in problems {
        let answer = answer.is(503);
        assert_eq!(answer.header("Retry-After"), Some("5"));
        assert_eq!(answer.header("Content-Type"), Some("application/problem+json"));
        assert_eq!(answer.json()["status"], 503);
    }
}

#[rocket::async_test]
async fn the_chain_of_causes_is_shown_in_development_only() {
    let cause = "the disk is on fire";
    let (pages, problems) = asks_for_everything(&Broken::Fails.app(DEVELOPMENT).await).await;
    for answer in pages.into_iter().chain(problems) {
        answer.shows("the store did not answer").shows(cause);
    }
    let (pages, problems) = asks_for_everything(&Broken::Fails.app(RELEASE).await).await;
    for answer in pages.into_iter().chain(problems) {
        answer.is(503).hides("the store did not answer").hides(cause);
    }
}

#[rocket::async_test]
async fn an_app_without_its_store_is_live_but_not_ready() {
    let app = Broken::Fails.app(RELEASE).await;
    app.get("/health/live").await.is(200);
    app.get("/health/ready").await.is(503);
    app.get("/static/app.css").await.is(200);
}

#[rocket::async_test]
async fn a_panic_is_told_as_500_and_the_app_goes_on() {
    for profile in [DEVELOPMENT, RELEASE] {
        let app = Broken::Panics.app(profile).await;
        let (pages, problems) = asks_for_everything(&app).await;
        for answer in pages {
            let id = answer.header("X-Request-Id").expect("an id").to_owned();
            answer.is(500).shows("Something went wrong here.").shows(&id).hides("a bug in the store");
        }
        for answer in problems {
            assert_eq!(answer.is(500).hides("a bug in the store").json()["status"], 500);
        }
        app.get("/health/live").await.is(200);
    }
}

#[test]
fn a_panic_is_logged_with_its_message_and_its_request() {
    // The log is one a process, so the request is made in another one: this very test, told so.
    if std::env::var_os("LOGS_A_PANIC").is_some() {
        return rocket::async_test(makes_a_request_that_panics());
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "faults::a_panic_is_logged_with_its_message_and_its_request", "--nocapture"]);
    child.env("LOGS_A_PANIC", "");
    let output = String::from_utf8(child.output().unwrap().stdout).unwrap();
    let line = output.lines().find(|line| line.contains("panic: a bug in the store")).expect(&output);
    let line: Value = serde_json::from_str(line).expect(line);
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["span"]["id"], "the-request", "{line}");
    assert!(line["location"].as_str().unwrap().contains("faults.rs"), "{line}");
}

async fn makes_a_request_that_panics() {
    let _guard = todo_app::log::start(todo_app::log::DEFAULT_FILTER, todo_app::log::Format::Json);
    let app = Broken::Panics.app(RELEASE).await;
    println!();
    app.send(Get, "/", &[("X-Request-Id", "the-request")], "").await.is(500);
}

// A full disk

/// Adds an item through the API; its id if that was acknowledged.
async fn adds(client: &reqwest::Client, url: &str, description: &str) -> std::result::Result<String, u16> {
    let body = serde_json::json!({ "title": "Item", "description": description });
    let answer = client.post(format!("{url}/api/todos")).json(&body).send().await.map_err(|_| 0_u16)?;
    if answer.status() != 201 {
        return Err(answer.status().as_u16());
    }
    let todo: Value = answer.json().await.map_err(|_| 0_u16)?;
    Ok(todo["id"].as_str().unwrap().to_owned())
}

async fn ids(client: &reqwest::Client, url: &str) -> Vec<String> {
    let answer = client.get(format!("{url}/api/todos")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let todos: Vec<Value> = answer.json().await.unwrap();
    todos.iter().map(|todo| todo["id"].as_str().unwrap().to_owned()).collect()
}

async fn is_sound(folder: &Path) {
    let file = SqliteConnectOptions::new().filename(folder.join("todo.db"));
    let said: String =
        sqlx::query_scalar("pragma integrity_check").fetch_one(&mut file.connect().await.unwrap()).await.unwrap();
    assert_eq!(said, "ok");
}

#[rocket::async_test]
async fn a_full_disk_refuses_writes_loses_nothing_and_is_got_over_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    // No file may grow beyond some hundred kilobytes; a write beyond fails instead of ending the process.
    let server = Server::start_with(in_a_shell(folder.path(), "trap '' XFSZ; ulimit -S -f 1000"));
    let (client, text) = (client(), "x".repeat(4_000));
    let mut kept = vec![];
    let refused = loop {
        assert!(kept.len() < 1_000, "the disk is never full");
        match adds(&client, &server.url, &text).await {
            Ok(id) => kept.push(id),
            Err(status) => break status,
        }
    };
    assert_eq!(refused, 503);
    assert!(kept.len() > 5, "{}", kept.len());
    for _ in 0..10 {
        assert_eq!(adds(&client, &server.url, &text).await, Err(503));
    }
    let longer = serde_json::json!({ "description": "y".repeat(5_000) });
    let edit = client.patch(format!("{}/api/todos/{}", server.url, kept[0])).json(&longer).send().await.unwrap();
    assert_eq!(edit.status(), 503);
    // What takes several statements is given up as a whole.
    let first = || client.delete(format!("{}/api/todos/{}", server.url, kept[0])).send();
    assert_eq!(first().await.unwrap().status(), 503);
    let page = client.get(&server.url).send().await.unwrap();
    assert_eq!(page.status(), 200, "reading goes on");
    let mut shown = ids(&client, &server.url).await;
    shown.reverse();
    assert_eq!(shown, kept, "what was acknowledged is there, what was refused is not");

    let room = Command::new("prlimit").args(["--pid", &server.pid().to_string(), "--fsize=unlimited"]).status();
    assert!(room.unwrap().success());
    assert_eq!(first().await.unwrap().status(), 204, "writing goes on");
    kept.remove(0);
    for _ in 0..3 {
        kept.push(adds(&client, &server.url, &text).await.expect("writing goes on"));
    }
    server.kill();
    let server = Server::start(folder.path());
    let mut shown = ids(&client, &server.url).await;
    shown.reverse();
    assert_eq!(shown, kept);
    is_sound(folder.path()).await;
}

// A kill

#[rocket::async_test]
async fn what_was_acknowledged_outlives_a_kill_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (client, acknowledged) = (client(), Arc::new(Mutex::new(vec![])));
    for round in 0..10 {
        let server = Server::start(folder.path());
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let (client, url, acknowledged) = (client.clone(), server.url.clone(), Arc::clone(&acknowledged));
                rocket::tokio::spawn(async move {
                    while let Ok(id) = adds(&client, &url, "").await {
                        acknowledged.lock().unwrap().push(id);
                    }
                })
            })
            .collect();
        // A different moment each time, when they are at it: the clock's last digits are as good as a die.
        let moment = Duration::from_millis(u64::from(jiff::Timestamp::now().subsec_nanosecond().unsigned_abs() % 150));
        rocket::tokio::time::sleep(moment).await;
        eventually("somebody wrote", || acknowledged.lock().unwrap().len() > round * 3);
        server.kill();
        for writer in writers {
            writer.await.unwrap();
        }
        is_sound(folder.path()).await;
    }
    let server = Server::start(folder.path());
    let (kept, acknowledged) = (ids(&client, &server.url).await, acknowledged.lock().unwrap().clone());
    let kept: HashSet<_> = kept.iter().collect();
    let lost: Vec<_> = acknowledged.iter().filter(|id| !kept.contains(id)).collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), acknowledged.len());
}

#[rocket::async_test]
async fn writers_at_once_through_two_copies_all_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let servers = [Server::start(folder.path()), Server::start(folder.path())];
    let writers: Vec<_> = (0..8)
        .map(|number| {
            let url = servers[number % 2].url.clone();
            rocket::tokio::spawn(async move {
                let client = client();
                for _ in 0..20 {
                    adds(&client, &url, "").await.expect("acknowledged");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    for server in &servers {
        assert_eq!(ids(&client(), &server.url).await.len(), 160);
    }
}

// A clock that jumps

/// The app under libfaketime, which takes the time from a file.
fn with_a_clock(folder: &Path) -> (Command, impl Fn(&str)) {
    let libraries = Path::new("/usr/lib").read_dir().unwrap().flatten();
    let library = libraries.map(|entry| entry.path().join("faketime/libfaketime.so.1")).find(|path| path.exists());
    let file = folder.join("clock");
    let mut starts = command(folder);
    starts
        .env("LD_PRELOAD", library.expect("libfaketime"))
        .env("FAKETIME_TIMESTAMP_FILE", &file)
        .env("FAKETIME_NO_CACHE", "1")
        // What waits and times out goes by the other clock, which never jumps.
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let set = move |to: &str| {
        // At once, since the app reads it at any moment, and ends if it is empty.
        let new = file.with_extension("new");
        std::fs::write(&new, to).unwrap();
        std::fs::rename(new, &file).unwrap();
    };
    set("+0");
    (starts, set)
}

#[rocket::async_test]
#[ignore = "needs faketime"]
async fn a_clock_that_jumps_loses_nothing_and_mixes_up_no_order() {
    let folder = tempfile::tempdir().unwrap();
    let (starts, set_clock) = with_a_clock(folder.path());
    let server = Server::start_with(starts);
    let client = client();
    let url = |id: &str| format!("{}/api/todos/{id}", server.url);
    let mut kept = vec![];
    for jump in ["+0", "-1d", "+400d", "-2000d", "+0", "-3h", "+8000d", "+0"] {
        set_clock(jump);
        let id = adds(&client, &server.url, jump).await.expect(jump);
        let edited =
            |status: &'static str| client.patch(url(&id)).json(&serde_json::json!({ "status": status })).send();
        let mut versions = vec![];
        for status in ["doing", "done", "todo"] {
            assert_eq!(edited(status).await.unwrap().status(), 200, "{jump}");
            let page = client.get(format!("{}/items/{id}", server.url)).send().await.unwrap().text().await.unwrap();
            let version = page.split_once("name=\"version\" value=\"").unwrap().1.split_once('"').unwrap().0;
            versions.push(version.parse::<i64>().unwrap());
        }
        assert!(versions.is_sorted_by(|a, b| a < b), "{jump}: an editor would miss a change: {versions:?}");
        let deleted = client.post(format!("{}/items/{id}/delete", server.url)).send().await.unwrap();
        assert_eq!(deleted.status(), 303, "{jump}");
        let undo = deleted.headers()["Location"].to_str().unwrap().split_once("undo=").unwrap().1.to_owned();
        let restored = client.post(format!("{}/deletions/{undo}/restore", server.url)).send().await.unwrap();
        assert_eq!(restored.status(), 303, "{jump}");
        kept.insert(0, id);
        assert_eq!(ids(&client, &server.url).await, kept, "{jump}: the newest is on top");
        assert_eq!(client.get(&server.url).send().await.unwrap().status(), 200, "{jump}");
    }
}

// Too many at once

/// An app that may have this many files and connections open.
fn with_files(folder: &Path, number: u32) -> Server {
    Server::start_with(in_a_shell(folder, &format!("ulimit -n {number}")))
}

/// Opens connections that say only the beginning of a request.
async fn half_open(server: &Server, number: usize) -> Vec<TcpStream> {
    let mut connections = vec![];
    while connections.len() < number {
        let mut connection = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
        connection.write_all(b"GET /health/live HTTP/1.1\r\nHost:").await.unwrap();
        connections.push(connection);
    }
    connections
}

#[rocket::async_test]
async fn an_app_without_a_file_descriptor_left_serves_again_once_there_are_some() {
    let folder = tempfile::tempdir().unwrap();
    let server = with_files(folder.path(), 64);
    let kept = adds(&client(), &server.url, "").await.unwrap();
    let connections = half_open(&server, 100).await;
    let hurried = |path: &str| client().get(format!("{}{path}", server.url)).timeout(Duration::from_millis(500)).send();
    assert!(hurried("/health/live").await.is_err(), "there was one left");
    drop(connections);
    let started = Instant::now();
    while hurried("/").await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(10), "it serves no more");
    }
    adds(&client(), &server.url, "").await.expect("it writes, too");
    assert!(ids(&client(), &server.url).await.contains(&kept));
}

#[rocket::async_test]
async fn clients_that_never_finish_a_request_keep_nobody_else_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let connections = half_open(&server, 500).await;
    for _ in 0..20 {
        adds(&client(), &server.url, "").await.expect("served");
    }
    assert_eq!(connections.len(), 500);
}

/// How long Docker waits for the answer of a health check in our images.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(3);

#[rocket::async_test]
async fn a_flood_of_searches_does_not_starve_the_health_check() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    for _ in 0..50 {
        adds(&client(), &server.url, &"text ".repeat(500)).await.unwrap();
    }
    let (flooding, served) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let flood: Vec<_> = (0..256)
        .map(|number| {
            let (client, url) = (client(), format!("{}/?q=nowhere{number}", server.url));
            let (flooding, served) = (Arc::clone(&flooding), Arc::clone(&served));
            tokio::spawn(async move {
                while flooding.load(Ordering::Relaxed) {
                    if client.get(&url).send().await.is_ok_and(|answer| answer.status() == 200) {
                        served.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    eventually("the flood is here", || served.load(Ordering::Relaxed) > 256);
    for _ in 0..5 {
        for path in ["/health/live", "/health/ready"] {
            let answer = client().get(format!("{}{path}", server.url)).timeout(HEALTH_TIMEOUT).send().await;
            assert_eq!(answer.expect(path).status(), 200, "{path}");
        }
    }
    flooding.store(false, Ordering::Relaxed);
    for client in flood {
        client.await.unwrap();
    }
}

#[rocket::async_test]
#[ignore = "needs 20,000 file descriptors"]
async fn ten_thousand_connections_are_held_and_answered() {
    const CONNECTIONS: usize = 10_000;
    let raised =
        Command::new("prlimit").args(["--pid", &std::process::id().to_string(), "--nofile=20000:20000"]).status();
    assert!(raised.unwrap().success());
    let folder = tempfile::tempdir().unwrap();
    let server = with_files(folder.path(), 20_000);
    let mut connections = half_open(&server, CONNECTIONS).await;
    // And somebody who comes after them.
    adds(&client(), &server.url, "").await.expect("served");
    for connection in &mut connections {
        connection.write_all(b" x\r\n\r\n").await.unwrap();
    }
    for connection in &mut connections {
        let mut answer = [0; 15];
        connection.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
    }
}
