//! How long the app takes from its start to its first answer, and to its end:
//! `cargo bench --bench startup`.

#[path = "../tests/support/mod.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "made for tests")]
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use support::Server;

const RUNS: usize = 10;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let fresh = |run: usize| folder.path().join(format!("fresh-{run}"));
    let (mut new, mut existing, mut stop) = (vec![], vec![], vec![]);
    for run in 0..RUNS {
        new.push(start(&fresh(run)).0);
        let (started, stopped) = start(&fresh(run));
        existing.push(started);
        stop.push(stopped);
    }
    println!("| of {RUNS} runs | minimum | median |\n|---|---|---|");
    for (what, mut times) in [
        ("start to first 200, new database", new),
        ("start to first 200, existing database", existing),
        ("SIGTERM to exit, idle", stop),
    ] {
        times.sort();
        println!("| {what} | {} ms | {} ms |", times[0].as_millis(), times[RUNS / 2].as_millis());
    }
}

/// How long a start takes until the list is answered, and how long the end.
fn start(folder: &Path) -> (Duration, Duration) {
    let began = Instant::now();
    let server = Server::start(folder);
    let mut connection = TcpStream::connect(server.url.trim_start_matches("http://")).expect("connect");
    connection.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("ask");
    let mut status = [0; 12];
    connection.read_exact(&mut status).expect("an answer");
    let started = began.elapsed();
    assert_eq!(&status, b"HTTP/1.1 200");
    drop(connection);
    (started, server.stop("TERM").1)
}
