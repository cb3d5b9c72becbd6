//! What goes wrong: a store that fails or panics, a full disk, a kill at the worst moment.

use std::collections::HashSet;
use std::io::Error as IoError;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rocket::async_trait;
use rocket::http::Method::{Delete, Get, Patch, Post};
use rocket::serde::json::{Value, serde_json};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use todo_app::item::{Changes, DeletionId, Item, ItemId, NewItem, Version};
use todo_app::store::{Board, BoardQuery, Deleted, Error, Place, Result, Store, Which};

use crate::app::{Answer, App, FORM};
use crate::process::{eventually, in_a_shell};
use crate::support::{Server, client};

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
    todo_app::log::start(todo_app::log::DEFAULT_FILTER, todo_app::log::Format::Json);
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
    let page = client.get(&server.url).send().await.unwrap();
    assert_eq!(page.status(), 200, "reading goes on");
    let mut shown = ids(&client, &server.url).await;
    shown.reverse();
    assert_eq!(shown, kept, "what was acknowledged is there, what was refused is not");

    let room = Command::new("prlimit").args(["--pid", &server.pid().to_string(), "--fsize=unlimited"]).status();
    assert!(room.unwrap().success());
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
