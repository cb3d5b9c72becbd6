//! In the development profile an open page follows the source: it reloads when the app was rebuilt
//! or a template or a static file changed, and shows what a failed build said.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::SystemTime;

use rocket::{Route, State, get, routes};

/// Where these routes are mounted.
pub const BASE: &str = "/development";

/// The folders of templates and of static files.
pub struct Followed(pub [PathBuf; 2]);

static STARTED: LazyLock<SystemTime> = LazyLock::new(SystemTime::now);

/// One line that is another one after every change; then what the last build said, if it failed:
/// the text in the file that `BUILD_ERROR` names.
#[get("/state")]
fn state(followed: &State<Followed>) -> String {
    let newest = followed.0.iter().filter_map(|folder| newest(folder)).max();
    let error = std::env::var("BUILD_ERROR").ok().and_then(|file| std::fs::read_to_string(file).ok());
    format!("{:?} {newest:?}\n{}", *STARTED, error.unwrap_or_default())
}

/// When a file of this folder last changed.
fn newest(folder: &Path) -> Option<SystemTime> {
    let files = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    files.filter_map(|file| file.metadata().ok()?.modified().ok()).max()
}

/// The routes to mount at [`BASE`], in the development profile only.
pub fn routes() -> Vec<Route> {
    routes![state]
}
