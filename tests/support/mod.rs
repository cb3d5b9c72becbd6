//! A real server for tests: the binary itself, on a free port, with a folder of its own.

pub mod postgres;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The app as a process; killed when dropped.
pub struct Server {
    process: Child,
    /// Where it listens: `http://127.0.0.1:PORT`.
    pub url: String,
    output: Arc<Mutex<String>>,
}

impl Server {
    /// Starts the app with its data in `folder` and waits until it listens.
    pub fn start(folder: &Path) -> Self {
        Self::start_with(command(folder))
    }

    /// Starts what `command` says, which is [`command`] with more to it, and waits until it listens.
    pub fn start_with(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start the app");
        let output = Arc::new(Mutex::new(String::new()));
        let (sender, listening) = std::sync::mpsc::channel();
        for pipe in [
            Box::new(process.stdout.take().expect("a pipe")) as Box<dyn Read + Send>,
            Box::new(process.stderr.take().expect("a pipe")),
        ] {
            let (output, sender) = (Arc::clone(&output), sender.clone());
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if let Some((_, url)) = line.split_once("listening on ") {
                        let _ = sender.send(url.trim_end_matches(|c| !char::is_ascii_digit(&c)).to_owned());
                    }
                    output.lock().expect("no panic").push_str(&(line + "\n"));
                }
            });
        }
        drop(sender);
        let Ok(url) = listening.recv_timeout(Duration::from_secs(30)) else {
            let _ = process.kill();
            panic!("the app did not listen; it said:\n{}", output.lock().expect("no panic"));
        };
        Self { process, url, output }
    }

    /// All that it has printed so far.
    pub fn output(&self) -> String {
        self.output.lock().expect("no panic").clone()
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(mut self) {
        self.process.kill().expect("kill");
        self.process.wait().expect("reap");
    }

    /// Ends it by a signal (`TERM`, `INT`) and says how, and how long it took.
    pub fn stop(mut self, signal: &str) -> (ExitStatus, Duration) {
        let started = Instant::now();
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().expect("kill").success());
        (self.process.wait().expect("reap"), started.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The command that starts the app with its data in `folder`, on a free port, in a clean environment.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_todo-app"));
    command
        .env_clear()
        .env("ROCKET_PORT", "0")
        .env("DATABASE_URL", format!("sqlite:{}", folder.join("todo.db").display()))
        .env("ASSETS_DIR", env!("CARGO_MANIFEST_DIR"));
    command
}

/// A client for a real server: shows redirects instead of following them, and asks no proxy.
pub fn client() -> reqwest::Client {
    // Reqwest is built without a provider of cryptography; another test may have chosen it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    client.build().expect("a client")
}
