//! A Chromium without a window, remote-controlled by the WebDriver protocol: one for each test, and
//! gone with it, also if the test fails.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use rocket::serde::json::{Value, json};
use tempfile::TempDir;

use crate::support::client;

/// The key under which WebDriver wraps an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A running browser.
pub struct Browser {
    http: reqwest::Client,
    session: String,
    driver: Driver,
}

/// An element of the page that is open.
pub struct Element(String);

impl Element {
    /// The element that a script returned, if it is one.
    pub fn from_script(value: &Value) -> Option<Self> {
        value[ELEMENT].as_str().map(|id| Self(id.to_owned()))
    }

    /// As the argument of a script, or the origin of a pointer's move.
    pub fn as_value(&self) -> Value {
        json!({ ELEMENT: self.0 })
    }
}

impl Browser {
    /// Starts a Chromium with a profile of its own.
    pub async fn start() -> Self {
        let driver = Driver::start();
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            // Containers give it 64 MB, which is too little.
            "--disable-dev-shm-usage",
            // How a date is typed depends on the language.
            "--lang=en-US",
            "--window-size=1280,900",
            &format!("--user-data-dir={}", driver.folder.path().join("profile").display()),
        ];
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let mut browser = Self { http: client(), session: String::new(), driver };
        let session = browser.ask("", capabilities).await.expect("Chromium did not start");
        browser.session = format!("/{}", session["sessionId"].as_str().expect("a session"));
        browser
    }

    /// Sends a command that has parameters, and gives its answer.
    pub async fn ask(&self, command: &str, parameters: Value) -> Result<Value, String> {
        self.send(Method::POST, command, Some(parameters)).await
    }

    /// Asks for something that needs no parameters.
    pub async fn get(&self, command: &str) -> Result<Value, String> {
        self.send(Method::GET, command, None).await
    }

    /// Sends a command of Chromium's own protocol.
    pub async fn cdp(&self, command: &str, parameters: Value) {
        let answer = self.ask("/goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await;
        answer.unwrap_or_else(|error| panic!("{command}: {error}"));
    }

    /// Runs a function's body in the page.
    pub async fn run(&self, script: &str, arguments: Value) -> Result<Value, String> {
        self.ask("/execute/sync", json!({ "script": script, "args": arguments })).await
    }

    /// Clicks in the middle of an element.
    pub async fn click(&self, element: &Element) -> Result<Value, String> {
        self.ask(&format!("/element/{}/click", element.0), json!({})).await
    }

    /// Empties a field.
    pub async fn clear(&self, field: &Element) -> Result<Value, String> {
        self.ask(&format!("/element/{}/clear", field.0), json!({})).await
    }

    /// Types into a field.
    pub async fn type_into(&self, field: &Element, text: &str) -> Result<Value, String> {
        self.ask(&format!("/element/{}/value", field.0), json!({ "text": text })).await
    }

    async fn send(&self, method: Method, command: &str, body: Option<Value>) -> Result<Value, String> {
        let url = format!("http://127.0.0.1:{}/session{}{command}", self.driver.port, self.session);
        let mut request = self.http.request(method, url).timeout(Duration::from_secs(60));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(|e| format!("chromedriver did not answer: {e}"))?;
        let refused = !answer.status().is_success();
        let mut answer: Value = answer.json().await.map_err(|e| format!("chromedriver answered no JSON: {e}"))?;
        let value = answer["value"].take();
        if refused { Err(format!("{}: {}", value["error"], value["message"])) } else { Ok(value) }
    }
}

impl Drop for Browser {
    /// Lets Chromium close its processes; what does not close is killed with the driver.
    fn drop(&mut self) {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.driver.port)) else { return };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let request = format!(
            "DELETE /session{} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
            self.session, self.driver.port
        );
        if stream.write_all(request.as_bytes()).is_ok() {
            let _ = stream.read(&mut [0; 64]);
        }
    }
}

/// Runs chromedriver until standard input ends, which it does even if the test is killed; then nothing is
/// left, neither chromedriver nor the browser that it started.
const RUN: &str = "chromedriver --port=0 & exec >&-; read _; kill -KILL 0";

/// A chromedriver with a group of processes and a folder of its own.
struct Driver {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Driver {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new("/bin/sh")
            .args(["-c", RUN])
            // Chromium must find no settings of the user's, and must leave nothing behind.
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_CACHE_HOME")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let said = "ChromeDriver was started successfully on port ";
        let port = lines.find_map(|line| line.strip_prefix(said)?.trim_end_matches('.').parse().ok());
        // Goes on reading: chromedriver would fail at a closed pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let driver = Self { process, port: port.unwrap_or_default(), folder };
        assert!(
            driver.port > 0,
            "these tests need Chromium and chromedriver, and chromedriver did not start; \
             on Debian: apt-get install chromium chromium-driver"
        );
        driver
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Ends its standard input first.
        let _ = self.process.wait();
    }
}
