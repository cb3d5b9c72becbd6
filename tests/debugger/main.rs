//! Breakpoints are hit, and show what a person wants to see: in the debug container, with the
//! project's own launch.json.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod dap;
mod launch;
mod load;
mod production;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;
mod values;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use rocket::serde::json::json;
use tempfile::{TempDir, tempdir};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;

use load::Load;
use support::{Server, client, command};

const DEBUG: &str = "Debug todo-app";
const ATTACH: &str = "Attach to the running todo-app";

/// The line of a source file that has this text, and only it.
fn line(file: &'static str, text: &str) -> (&'static str, i64) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let source = std::fs::read_to_string(&path).unwrap();
    let mut lines = source.lines().enumerate().filter(|(_, line)| line.contains(text));
    let (index, _) = lines.next().unwrap_or_else(|| panic!("{file} has no {text:?}"));
    assert!(lines.next().is_none(), "{file} has {text:?} twice");
    (path.to_str().unwrap().to_owned().leak(), i64::try_from(index).unwrap() + 1)
}

/// The line in the handler that adds an item; before it awaits anything.
fn in_a_live_request() -> (&'static str, i64) {
    line("src/pages.rs", "let new = NewItem {")
}

/// Attaching goes by the program's name, so there must be but one.
async fn alone() -> MutexGuard<'static, ()> {
    static ONE: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);
    ONE.lock().await
}

/// What a launched app needs to have data and a port of its own.
fn own_data(folder: &TempDir) -> rocket::serde::json::Value {
    let database = format!("DATABASE_URL=sqlite:{}", folder.path().join("todo.db").display());
    json!({ "env": ["ROCKET_PORT=0", database] })
}

/// Starts a test of this kind under the debugger.
fn debug_test(kind: &str, name: &str) -> dap::Session {
    launch::start("Debug one test", &[("${input:kind}", kind), ("${input:test}", name)], json!({}))
}

/// Adds an item as the page's form does; ends when it is answered.
fn add(url: &str, title: &'static str) -> JoinHandle<u16> {
    let request = client().post(format!("{url}/items")).form(&[("title", title)]);
    tokio::spawn(async move { request.send().await.unwrap().status().as_u16() })
}

#[tokio::test(flavor = "multi_thread")]
async fn f5_stops_in_a_live_request_and_shows_its_values() {
    let (_alone, folder, started) = (alone().await, tempdir().unwrap(), Instant::now());
    let mut session = launch::start(DEBUG, &[], own_data(&folder));
    session.break_at(in_a_live_request());
    session.run();
    let url = session.printed("listening on ");
    let answer = add(&url, "Buy milk");

    let stop = session.stopped();
    println!("F5 to the stop, with nothing to build: {:.1} s", started.elapsed().as_secs_f32());
    assert_eq!((stop.reason.as_str(), stop.frames[0].line), ("breakpoint", in_a_live_request().1));
    assert!(stop.frames[0].function.contains("todo_app::pages::add"), "{}", stop.frames[0].function);
    let title = session.local(&stop, "title");
    assert!(title.contains(r#""Buy milk""#), "{title}");
    assert!(!answer.is_finished(), "the request waits");

    let stop = session.next_line(&stop);
    assert_eq!((stop.reason.as_str(), stop.frames[0].line), ("step", in_a_live_request().1 + 1));
    let new = session.local(&stop, "new");
    assert!(new.contains(r#""Buy milk""#) && new.contains("Todo"), "{new}");
    session.go_on(&stop);
    assert_eq!(answer.await.unwrap(), 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn attaching_under_load_fails_no_request_and_the_app_goes_on_after_it() {
    let (_alone, folder) = (alone().await, tempdir().unwrap());
    let server = Server::start(folder.path());
    let load = Load::start(&server.url, 4, 0, Duration::ZERO);

    let mut session = launch::start(ATTACH, &[], json!({}));
    session.break_at(in_a_live_request());
    session.run();
    let answer = add(&server.url, "Attached");
    let stop = session.stopped();
    assert_eq!(stop.frames[0].line, in_a_live_request().1);
    assert!(session.local(&stop, "title").contains(r#""Attached""#));
    session.go_on(&stop);
    assert_eq!(answer.await.unwrap(), 303);
    session.disconnect();

    let before = load.count();
    assert_eq!(add(&server.url, "Detached").await.unwrap(), 303);
    while load.count() < before + 10 {
        tokio::task::yield_now().await;
    }
    load.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_stops_only_where_it_holds() {
    let (_alone, folder) = (alone().await, tempdir().unwrap());
    let mut session = launch::start(DEBUG, &[], own_data(&folder));
    session.break_if(line("src/pages.rs", "let place = match form.into_inner()"), "false");
    session.break_at(in_a_live_request());
    session.run();
    let url = session.printed("listening on ");
    let answer = add(&url, "Only here");
    let stop = session.stopped();
    assert_eq!(stop.frames[0].line, in_a_live_request().1);
    session.go_on(&stop);
    assert_eq!(answer.await.unwrap(), 303);
}

#[tokio::test]
async fn a_test_can_be_debugged_by_its_name() {
    let _alone = alone().await;
    let mut session = debug_test("integration", "pages::an_added_item_is_on_top_of_to_do_once");
    session.break_at(in_a_live_request());
    session.run();
    let stop = session.stopped();
    assert!(stop.frames[0].function.contains("todo_app::pages::add"), "{}", stop.frames[0].function);
    session.go_on(&stop);
    assert_eq!(session.exited(), 0);
}

/// As the compound "Debug a browser test with its server" does.
#[tokio::test]
async fn a_browser_tests_server_is_debugged_from_its_start() {
    let _alone = alone().await;
    let tests = ["test", "--test=e2e", "adding::a_refused_item_can_be_corrected_and_added", "--", "--include-ignored"];
    assert!(launch::cargo_command().args(&tests[..2]).arg("--no-run").status().unwrap().success());
    let mut session = launch::ask("Attach to the next todo-app that starts", &[], json!({}));
    session.printed("Waiting to attach");
    let mut browser = launch::cargo_command().args(tests).spawn().unwrap();
    let mut session = session.started();
    session.break_at(in_a_live_request());
    session.run();
    let stop = session.stopped();
    assert_eq!(stop.frames[0].line, in_a_live_request().1);
    session.go_on(&stop);
    session.disconnect();
    assert!(browser.wait().unwrap().success());
}

#[tokio::test]
async fn a_panic_stops_where_it_happens() {
    let _alone = alone().await;
    let mut session = debug_test("integration", "faults::a_panic_is_told_as_500_and_the_app_goes_on");
    session.break_on_panic();
    session.run();
    let stop = session.stopped();
    let (_, panics) = line("tests/integration/faults.rs", r#"panic!("a bug in the store")"#);
    let ours = stop.frames.iter().find(|frame| frame.file.ends_with("tests/integration/faults.rs"));
    assert_eq!(ours.expect("the test among the callers").line, panics);
}

#[tokio::test]
async fn values_read_as_values() {
    let _alone = alone().await;
    let mut session = debug_test("debugger", "values::to_look_at");
    session.break_at(line("tests/debugger/values.rs", "let first = future"));
    session.run();
    let stop = session.stopped();
    for (local, shown) in [
        ("text", r#""Größe 🥛""#),
        ("some", r#""milk""#),
        ("none", "None"),
        ("list", r#""b""#),
        ("map", r#""one""#),
        ("title", r#""Buy milk""#),
        ("status", "Doing"),
        ("item", r#""Buy milk""#),
        ("number", "42"),
    ] {
        let value = session.local(&stop, local);
        println!("{local} = {value}");
        assert!(value.contains(shown), "{local} is {value}");
    }
    // Over an `.await` that is ready, to the next line.
    let stop = session.next_line(&stop);
    let (_, next) = line("tests/debugger/values.rs", "let second =");
    assert_eq!(stop.frames[0].line, next);
    assert_eq!(session.local(&stop, "first"), "7");
}

#[tokio::test]
#[should_panic(expected = "no code at")]
async fn a_breakpoint_where_there_is_no_code_is_noticed() {
    let (_alone, folder) = (alone().await, tempdir().unwrap());
    let mut session = launch::start(DEBUG, &[], own_data(&folder));
    session.break_at((in_a_live_request().0, 1_000_000));
}

#[tokio::test]
async fn attaching_to_an_app_that_was_rebuilt_meanwhile_says_what_to_do() {
    let (_alone, folder) = (alone().await, tempdir().unwrap());
    // What cargo does to the program's file when it builds, done to a copy.
    let program = folder.path().join("todo-app");
    let build = || std::fs::copy(env!("CARGO_BIN_EXE_todo-app"), &program).unwrap();
    build();
    let mut copy = std::process::Command::new(&program);
    for (name, value) in command(folder.path()).get_envs() {
        copy.env(name, value.unwrap());
    }
    let server = Server::start_with(copy);
    std::fs::remove_file(&program).unwrap();
    build();
    let mut session = launch::start(ATTACH, &[], json!({ "pid": server.pid() }));
    session.run();
    assert!(session.printed(&format!("process {}) was rebuilt", server.pid())).contains("press F5 again"));
    session.disconnect();
}
