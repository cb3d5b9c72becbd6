//! A client of the Debug Adapter Protocol, as an editor is one: it talks to lldb-dap.
//! <https://microsoft.github.io/debug-adapter-protocol/specification>

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rocket::serde::json::{Value, json, serde_json};

/// How long an adapter may take for anything: two busy processors load debug information slowly.
const PATIENCE: Duration = Duration::from_secs(60);

/// A debug session. What goes wrong in it fails the test, with all that was said.
pub struct Session {
    adapter: Child,
    to_adapter: ChildStdin,
    from_adapter: Receiver<Value>,
    /// Events that came while something else was awaited.
    events: Vec<Value>,
    /// All that the debuggee and the adapter have printed.
    pub output: String,
    sent: u64,
}

/// Where a thread stopped.
pub struct Stop {
    pub thread: i64,
    /// Why, in the protocol's words: `breakpoint`, `step`, `function breakpoint`…
    pub reason: String,
    /// The functions, innermost first.
    pub frames: Vec<Frame>,
}

pub struct Frame {
    pub id: i64,
    pub function: String,
    pub file: String,
    pub line: i64,
}

impl Session {
    /// Starts the adapter (lldb-dap-19) and asks for the session that `arguments` (see [`crate::launch`]) describe.
    pub fn ask(adapter: &mut Command, request: &str, arguments: &Value) -> Self {
        let mut adapter = adapter
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("lldb-dap-19, which the debug container has");
        let to_adapter = adapter.stdin.take().expect("a pipe");
        let stdout = adapter.stdout.take().expect("a pipe");
        let (sender, from_adapter) = channel();
        std::thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            while let Some(message) = read(&mut stdout) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut session =
            Self { adapter, to_adapter, from_adapter, events: Vec::new(), output: String::new(), sent: 0 };
        session.request("initialize", &json!({ "adapterID": "lldb", "linesStartAt1": true, "columnsStartAt1": true }));
        session.send(request, arguments).expect("an adapter that listens");
        session
    }

    /// Waits until the debuggee is there; it waits for [`Session::run`] then.
    pub fn started(mut self) -> Self {
        self.event("initialized");
        self
    }

    /// Sets a breakpoint on a line.
    ///
    /// # Panics
    /// If there is no code to stop at: in an editor it would stay grey.
    pub fn break_at(&mut self, (file, line): (&str, i64)) {
        self.break_if((file, line), "");
    }

    /// Sets a breakpoint on a line that stops only where a condition, in LLDB's language, holds.
    ///
    /// # Panics
    /// As [`Session::break_at`].
    pub fn break_if(&mut self, (file, line): (&str, i64), condition: &str) {
        let answer = self.request(
            "setBreakpoints",
            &json!({
                "source": { "path": file },
                "breakpoints": [{ "line": line, "condition": condition }],
            }),
        );
        let breakpoint = &answer["breakpoints"][0];
        assert_eq!(
            (breakpoint["verified"].as_bool(), breakpoint["line"].as_i64()),
            (Some(true), Some(line)),
            "no code at {file}:{line}: {breakpoint}"
        );
    }

    /// Stops where Rust panics, as CodeLLDB's breakpoint "Rust: on panic" does.
    pub fn break_on_panic(&mut self) {
        self.request("setFunctionBreakpoints", &json!({ "breakpoints": [{ "name": "rust_panic" }] }));
    }

    /// Gives the adapter one of LLDB's commands, as in an editor's debug console.
    pub fn command(&mut self, command: &str) {
        self.request("evaluate", &json!({ "expression": format!("`{command}"), "context": "repl" }));
    }

    /// Lets the debuggee run, now that the breakpoints are set.
    pub fn run(&mut self) {
        self.request("configurationDone", &json!({}));
    }

    /// Waits until the debuggee or the adapter has printed this, and returns the rest of that line.
    pub fn printed(&mut self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some((_, rest)) = self.output.split_once(text)
                && let Some((line, _)) = rest.split_once('\n')
            {
                return line.trim_end().to_owned();
            }
            let message = self.next(until, text);
            self.events.push(message);
        }
    }

    /// Waits until the debuggee stops.
    pub fn stopped(&mut self) -> Stop {
        let event = self.event("stopped");
        let thread = event["threadId"].as_i64().expect("a thread");
        let reason = event["reason"].as_str().expect("a reason").to_owned();
        let trace = self.request("stackTrace", &json!({ "threadId": thread, "startFrame": 0, "levels": 40 }));
        let frame = |frame: &Value| Frame {
            id: frame["id"].as_i64().expect("an id"),
            function: frame["name"].as_str().unwrap_or_default().to_owned(),
            file: frame["source"]["path"].as_str().unwrap_or_default().to_owned(),
            line: frame["line"].as_i64().unwrap_or_default(),
        };
        let frames = trace["stackFrames"].as_array().expect("frames").iter().map(frame).collect();
        Stop { thread, reason, frames }
    }

    /// The value of a local variable as the editor shows it, with those of its fields, unfolded:
    /// `Item { title: "Milk" }`, or what LLDB makes of it.
    pub fn local(&mut self, stop: &Stop, name: &str) -> String {
        let scopes = self.request("scopes", &json!({ "frameId": stop.frames[0].id }));
        let locals = self.variables(scopes["scopes"][0]["variablesReference"].as_i64().expect("locals"));
        let found = locals.iter().find(|variable| variable["name"] == name);
        let variable = found.unwrap_or_else(|| panic!("no local {name} in {locals:#?}")).clone();
        self.unfolded(&variable, 6)
    }

    fn unfolded(&mut self, variable: &Value, depth: usize) -> String {
        let shown = variable["value"].as_str().unwrap_or_default().to_owned();
        match variable["variablesReference"].as_i64() {
            Some(reference) if reference != 0 && depth != 0 => {
                let fields = self.variables(reference);
                let inner: Vec<_> = fields
                    .iter()
                    .map(|f| format!("{}: {}", f["name"].as_str().unwrap_or_default(), self.unfolded(f, depth - 1)))
                    .collect();
                format!("{shown} {{ {} }}", inner.join(", "))
            }
            _ => shown,
        }
    }

    fn variables(&mut self, reference: i64) -> Vec<Value> {
        let answer = self.request("variables", &json!({ "variablesReference": reference }));
        answer["variables"].as_array().expect("variables").clone()
    }

    /// Steps over the line on which the debuggee stopped.
    pub fn next_line(&mut self, stop: &Stop) -> Stop {
        self.request("next", &json!({ "threadId": stop.thread }));
        self.stopped()
    }

    /// The stops that come within this time.
    pub fn stops_within(&mut self, time: Duration) -> Vec<Value> {
        let until = Instant::now() + time;
        while let Ok(message) = self.from_adapter.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.events.push(message);
        }
        self.events.iter().filter(|event| event["event"] == "stopped").cloned().collect()
    }

    /// Lets the debuggee go on.
    pub fn go_on(&mut self, stop: &Stop) {
        self.request("continue", &json!({ "threadId": stop.thread }));
    }

    /// Waits until the debuggee ends, and returns its exit code.
    pub fn exited(&mut self) -> i64 {
        self.event("exited")["exitCode"].as_i64().expect("a code")
    }

    /// Ends the session; a process that was attached to goes on, one that was launched ends.
    pub fn disconnect(mut self) {
        self.request("disconnect", &json!({}));
    }

    /// Sends a request and returns the body of its answer.
    fn request(&mut self, command: &str, arguments: &Value) -> Value {
        let seq = self.send(command, arguments).expect("an adapter that listens");
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.next(until, command);
            if answer["type"] == "response" && answer["request_seq"] == seq {
                return answer["body"].clone();
            }
            self.events.push(answer);
        }
    }

    fn send(&mut self, command: &str, arguments: &Value) -> std::io::Result<u64> {
        self.sent += 1;
        let message = json!({ "seq": self.sent, "type": "request", "command": command, "arguments": arguments });
        let message = message.to_string();
        write!(self.to_adapter, "Content-Length: {}\r\n\r\n{message}", message.len())?;
        Ok(self.sent)
    }

    /// Waits for an event and returns its body.
    fn event(&mut self, name: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = self.events.iter().position(|event| event["event"] == name) {
                return self.events.remove(found)["body"].clone();
            }
            let message = self.next(until, name);
            self.events.push(message);
        }
    }

    fn next(&mut self, until: Instant, awaited: &str) -> Value {
        let left = until.saturating_duration_since(Instant::now());
        let message = self.from_adapter.recv_timeout(left);
        let message = message.unwrap_or_else(|e| panic!("{awaited}: {e}; printed so far:\n{}", self.output));
        assert_ne!(message["success"], false, "refused: {message:#}\n{}", self.output);
        if message["event"] == "output" {
            self.output += message["body"]["output"].as_str().unwrap_or_default();
            // The adapter's own words come whole, but some without the end of their line.
            if message["body"]["category"] == "console" && !self.output.ends_with('\n') {
                self.output.push('\n');
            }
        }
        message
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A test may have failed anywhere: a debuggee that was launched must not outlive its session.
        let _ = self.send("disconnect", &json!({}));
        while self.from_adapter.recv_timeout(Duration::from_secs(5)).is_ok() {}
        let _ = self.adapter.kill();
        let _ = self.adapter.wait();
    }
}

/// One message: headers, a blank line, as much JSON as `Content-Length` says.
fn read(stream: &mut impl BufRead) -> Option<Value> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some(("Content-Length", number)) => length = number.parse().ok(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length?];
    stream.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
