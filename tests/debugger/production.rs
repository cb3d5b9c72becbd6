//! The image that runs in production, debugged from the sidecar (docker-compose.debug.yml) while it works.
//! Needs both on this machine, which `.ci/run` starts: `docker compose up production`, and the sidecar.

use std::process::Command;
use std::time::{Duration, Instant};

use rocket::serde::json::json;

use crate::launch::ask_adapter;
use crate::load::Load;
use crate::{add, in_a_live_request};

const URL: &str = "http://localhost:8000";
const SOURCE: &str = "/workspaces/todo-app";

/// How long the app is watched before, between and after, so that a 99th percentile says something.
const QUIET: Duration = Duration::from_secs(2);

/// A program in the sidecar.
fn in_sidecar(arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(["compose", "-f", "docker-compose.debug.yml", "exec", "-T", "sidecar"]).args(arguments);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a container in production and its sidecar"]
async fn production_is_looked_into_under_load_and_no_request_fails() {
    // Some hundred requests in a second, not as many as it can.
    let load = Load::start(URL, 4, 4, Duration::from_millis(10));
    let start = Instant::now();
    tokio::time::sleep(QUIET).await;

    // Where is it stuck? All threads and tasks, in one go.
    let trace = Instant::now();
    let commands = ["lldb", "--batch", "-o", "attach-production", "-o", "tasks", "-o", "thread backtrace all"];
    let output = tokio::task::spawn_blocking(move || in_sidecar(&commands).output().unwrap()).await.unwrap();
    let traced = Instant::now();
    let (shown, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{shown}{wrong}");
    for name in ["todo_app::main", "todo_app::command::start", "rocket::server", "sqlx-sqlite-wor"] {
        assert!(shown.contains(name), "no {name} in {shown}{wrong}");
    }
    tokio::time::sleep(QUIET).await;

    // The configuration of the editor: a breakpoint that stops for one title of many.
    let attach = Instant::now();
    let (title, source) = ("Stops here", [("${workspaceFolder}", SOURCE)]);
    let mut adapter = in_sidecar(&["lldb-dap-19"]);
    let mut session = ask_adapter(&mut adapter, "Attach to production", &source, json!({})).started();
    let (_, line) = in_a_live_request();
    // After it, where the item is made.
    let pages = format!("{SOURCE}/src/pages.rs");
    session.break_at((&pages, line + 1));
    session.command(&format!(
        "breakpoint command add --script-type python --one-liner 'return \"{title}\" in str(frame.FindVariable(\"new\"))'"
    ));
    session.run();
    let adding = load.adding.lock().await;
    let answer = add(URL, title);
    let stop = session.stopped();
    assert!(stop.frames[0].function.contains("todo_app::pages::add"), "{}", stop.frames[0].function);
    assert_eq!(stop.frames[0].file, pages);
    let new = session.local(&stop, "new");
    assert!(new.contains(title), "{new}");
    session.go_on(&stop);
    assert_eq!(answer.await.unwrap(), 303);
    drop(adding);
    assert_eq!(session.stops_within(Duration::from_secs(1)), [json!(null); 0], "it stops for this title only");
    session.disconnect();
    let detached = Instant::now();

    tokio::time::sleep(QUIET).await;
    let end = Instant::now();
    let (before, between, after) = (load.p99(start, trace), load.p99(traced, attach), load.p99(detached, end));
    let pause = load.longest(trace, traced);
    println!(
        "p99 before {before:.1?}, between {between:.1?}, after {after:.1?}; pause for all backtraces {:.2?}, longest answer \
         with a breakpoint {:.2?}",
        pause,
        load.longest(attach, detached)
    );
    load.end().await;
    // Half a second; a busy machine takes longer.
    assert!(pause < Duration::from_secs(2));
    // Twice is within what a busy machine does by itself.
    assert!(between.max(after) < 2 * before.max(Duration::from_millis(10)));
}
