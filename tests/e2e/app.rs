//! The app under test, and what is on its list before a person looks.

use std::path::{Path, PathBuf};

use rocket::serde::json::{Value, json};
use sqlx::SqlitePool;
use tempfile::TempDir;
use todo_app::login::LoginHash;

use crate::page::Page;
use crate::support::{Server, client, command};

/// A server with a list of its own.
pub struct App {
    server: Server,
    folder: TempDir,
}

impl App {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { server: Server::start(folder.path()), folder }
    }

    /// An app whose templates and static files a test may edit: those in the folder that it gives.
    pub fn with_own_assets() -> (Self, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        for name in ["templates", "static"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
            std::fs::create_dir(folder.path().join(name)).unwrap();
            for file in from.read_dir().unwrap().flatten() {
                std::fs::copy(file.path(), folder.path().join(name).join(file.file_name())).unwrap();
            }
        }
        let (mut starts, assets) = (command(folder.path()), folder.path().to_owned());
        starts.env("ASSETS_DIR", &assets).env("BUILD_ERROR", assets.join("build-error"));
        (Self { server: Server::start_with(starts), folder }, assets)
    }

    /// An app that asks for a login.
    pub fn with_login(hash: &LoginHash) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut starts = command(folder.path());
        starts.env("LOGIN_HASH", hash.to_string());
        Self { server: Server::start_with(starts), folder }
    }

    /// Opens the list in a new browser.
    pub async fn browse(&self) -> Page {
        self.browse_at("/").await
    }

    /// Opens a page in a new browser, which has never seen the app.
    pub async fn browse_at(&self, path: &str) -> Page {
        let page = Page::new(&self.server.url).await;
        page.go(path).await;
        page
    }

    /// Puts items on the list, the first of them on top, and gives their ids.
    pub async fn has<const N: usize>(&self, items: [Value; N]) -> [String; N] {
        let mut ids = [const { String::new() }; N];
        for (at, mut item) in items.into_iter().enumerate() {
            item["order"] = json!(at);
            let request = client().post(self.url("/api/todos")).json(&item);
            let answer = request.send().await.unwrap().error_for_status().unwrap();
            ids[at] = answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
        }
        ids
    }

    /// Changes an item as somebody else would meanwhile.
    pub async fn change(&self, id: &str, changes: Value) {
        let request = client().patch(self.url(&format!("/api/todos/{id}"))).json(&changes);
        request.send().await.unwrap().error_for_status().unwrap();
    }

    /// Deletes an item as somebody else would meanwhile.
    pub async fn delete(&self, id: &str) {
        let request = client().delete(self.url(&format!("/api/todos/{id}")));
        request.send().await.unwrap().error_for_status().unwrap();
    }

    /// An address as another site would know it.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url)
    }

    /// All that is on the list, to see whether anything changed.
    pub async fn everything(&self) -> String {
        let answer = client().get(self.url("/api/todos")).send().await.unwrap().error_for_status().unwrap();
        answer.text().await.unwrap()
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        self.server.output()
    }

    /// Changes what is stored, for what would take days through the app.
    pub async fn sql(&self, statement: &'static str) {
        let file = format!("sqlite:{}", self.folder.path().join("todo.db").display());
        let pool = SqlitePool::connect(&file).await.unwrap();
        sqlx::query(statement).execute(&pool).await.unwrap();
        pool.close().await;
    }
}

impl Drop for App {
    /// A test that fails tells what the server did.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}

/// An item to put on the list.
pub fn item(status: &str, title: &str) -> Value {
    json!({ "status": status, "title": title })
}

/// An item with everything that an item can have; the last may be blank.
pub fn full_item(status: &str, title: &str, description: &str, due: &str) -> Value {
    let due = (!due.is_empty()).then_some(due);
    json!({ "status": status, "title": title, "description": description, "due": due })
}
