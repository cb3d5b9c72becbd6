//! The app in this process, as a user or a program meets it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rocket::Config as RocketConfig;
use rocket::http::uri::Host;
use rocket::http::{Header, Method};
use rocket::local::asynchronous::Client;
use rocket::serde::json::{Value, serde_json};
use secrecy::SecretString;
use sqlx::{ConnectOptions, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use todo_app::app::AnyStore;
use todo_app::config::Config;
use todo_app::log::{DEFAULT_FILTER, Format};
use todo_app::security::CorsOrigins;
use todo_app::store::sql::Sql;

/// The address of a database file in this folder.
pub fn sqlite(folder: &Path) -> SecretString {
    format!("sqlite:{}", folder.join("todo.db").display()).into()
}

/// The app, with an empty list in a folder of its own.
pub struct App {
    pub client: Client,
    folder: TempDir,
}

impl App {
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// The app as `change` configures it.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Sql::open(&sqlite(folder.path())).await.unwrap();
        Self::build(folder, Arc::new(store), change).await
    }

    /// The app on some other store.
    pub async fn on(store: AnyStore, change: impl FnOnce(&mut Config)) -> Self {
        Self::build(tempfile::tempdir().unwrap(), store, change).await
    }

    async fn build(folder: TempDir, store: AnyStore, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            rocket: RocketConfig {
                log_level: rocket::config::LogLevel::Off,
                // As in a container, where it may be called by any name.
                address: std::net::Ipv4Addr::UNSPECIFIED.into(),
                ..RocketConfig::debug_default()
            },
            database_url: String::new().into(),
            trello: None,
            stop_delay: std::time::Duration::ZERO,
            assets: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
            login: None,
            cors_origins: CorsOrigins::default(),
            log_filter: DEFAULT_FILTER.to_owned(),
            log_format: Format::Text,
        };
        change(&mut config);
        let client = Client::untracked(todo_app::app::rocket(&config, store)).await.unwrap();
        Self { client, folder }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::Get, path, &[], "").await
    }

    /// Sends a form, as a browser does.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(Method::Post, path, &[FORM], form(fields)).await
    }

    pub async fn json(&self, method: Method, path: &str, body: &str) -> Answer {
        self.send(method, path, &[("Content-Type", "application/json")], body).await
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
        let mut request = self.client.req(method, path).body(body);
        for (name, value) in headers {
            // A server tells Rocket whom it was called as; here nobody does.
            if *name == "Host" {
                request.inner_mut().set_host(Host::parse_owned((*value).to_owned()).unwrap());
            }
            request.add_header(Header::new((*name).to_owned(), (*value).to_owned()));
        }
        let response = request.dispatch().await;
        let status = response.status().code;
        let headers = response.headers().iter().map(|h| (h.name().to_string(), h.value().to_owned())).collect();
        let body = String::from_utf8(response.into_bytes().await.unwrap_or_default()).unwrap();
        Answer { status, headers, body }
    }

    /// Puts an item on top of its section, and gives its id.
    pub async fn has(&self, title: &str, status: &str) -> String {
        let body = serde_json::json!({ "title": title, "status": status }).to_string();
        let item = self.json(Method::Post, "/api/todos", &body).await.is(201).json();
        item["id"].as_str().unwrap().to_owned()
    }

    pub async fn sets_status(&self, id: &str, status: &str) -> Answer {
        self.post(&format!("/items/{id}/status"), &[("status", status)]).await.is(303)
    }

    /// What the API says of an item.
    pub async fn item(&self, id: &str) -> Value {
        self.get(&format!("/api/todos/{id}")).await.is(200).json()
    }

    /// The file itself, for what no user could do, such as waiting for tomorrow.
    pub async fn file(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.folder.path().join("todo.db")).connect().await.unwrap()
    }

    /// As if all that is done were done `days` earlier.
    pub async fn all_was_done_earlier(&self, days: i64) {
        let sql = "update items set done_at = done_at - $1 * 86400000000 where status = 'done'";
        sqlx::query(sql).bind(days).execute(&mut self.file().await).await.unwrap();
    }
}

pub const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// A form's body.
pub fn form(fields: &[(&str, &str)]) -> String {
    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    fields.join("&")
}

/// A text as part of an address or a form: each byte by its number.
pub fn encoded(text: impl AsRef<[u8]>) -> String {
    text.as_ref().iter().map(|byte| format!("%{byte:02X}")).collect()
}

/// The text that a browser makes of HTML's references.
fn unescaped(html: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#x2f;", "/"), ("&amp;", "&")]
        .iter()
        .fold(html.to_owned(), |text, (reference, character)| text.replace(reference, character))
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    #[track_caller]
    pub fn shows(self, text: &str) -> Self {
        assert!(unescaped(&self.body).contains(text), "shows no {text:?}:\n{}", self.body);
        self
    }

    #[track_caller]
    pub fn hides(self, text: &str) -> Self {
        assert!(!unescaped(&self.body).contains(text), "shows {text:?}:\n{}", self.body);
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Where a redirect leads, without the place on the page.
    #[track_caller]
    pub fn location(&self) -> &str {
        self.header("Location").expect("a Location").split('#').next().unwrap()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect(&self.body)
    }

    /// The items of a section, from top to bottom: id and title.
    #[track_caller]
    pub fn items(&self, status: &str) -> Vec<(String, String)> {
        let section = between(&self.body, &format!("<section class=\"{status}\""), "</section>").expect("a section");
        let items = section.split("<li id=\"item-").skip(1).map(|item| {
            let title = between(item, "class=\"title\"", "</a>").unwrap().rsplit_once("\">").unwrap().1;
            (item.split('"').next().unwrap().to_owned(), unescaped(title))
        });
        items.collect()
    }

    #[track_caller]
    pub fn titles(&self, status: &str) -> Vec<String> {
        self.items(status).into_iter().map(|(_, title)| title).collect()
    }

    /// Where the link with this text leads, if there is one.
    pub fn link(&self, text: &str) -> Option<String> {
        self.attribute_before(text, "href=\"")
    }

    /// Where the form with this button goes, if there is one.
    pub fn action(&self, button: &str) -> Option<String> {
        self.attribute_before(button, "action=\"")
    }

    fn attribute_before(&self, text: &str, attribute: &str) -> Option<String> {
        let before = &self.body[..self.body.find(&format!(">{text}"))?];
        let value = &before[before.rfind(attribute)? + attribute.len()..];
        value.split('"').next().map(unescaped)
    }

    /// What stands in a form's field.
    pub fn field(&self, name: &str) -> Option<String> {
        let start = self.body.find(&format!(" name=\"{name}\""))?;
        let field = &self.body[start..];
        let value = match name {
            "description" => between(field, ">\n", "</textarea>"),
            _ => between(field, "value=\"", "\""),
        };
        value.map(unescaped)
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split(end).next()
}
