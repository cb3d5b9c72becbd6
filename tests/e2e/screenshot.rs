//! The picture in the README.

use std::fs;
use std::path::Path;

use rocket::serde::json::{from_value, json};

use crate::app::{App, full_item, item};

/// `UPDATE_SCREENSHOT=1` replaces the picture by the one that this makes.
#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn the_readme_shows_the_real_page() {
    let app = App::start();
    app.has([
        full_item("todo", "Renew the passport", "Photos first, then the form.", "2025-03-14"),
        full_item("todo", "Plan the summer in Norway", "", "2030-06-01"),
        item("todo", "Return the library books"),
        full_item("doing", "Paint the kitchen", "Two coats; the second one on Sunday.", ""),
        item("doing", "Read “The Mythical Man-Month”"),
        item("done", "Book a table for Friday"),
        item("done", "Call Ada"),
        item("done", "Water the plants"),
    ])
    .await;
    let page = app.browse().await;
    page.is_wide(1000, 760).await;
    page.prefers("light").await;
    page.shows("To Do", &["Renew the passport", "Plan the summer in Norway", "Return the library books"]).await;
    page.shows("Doing", &["Paint the kitchen", "Read “The Mythical Man-Month”"]).await;
    page.shows("Done", &["Water the plants", "Call Ada", "Book a table for Friday"]).await;
    let whole =
        "return document.querySelectorAll('li').length === 8 && document.scrollingElement.scrollHeight <= innerHeight";
    page.waits_for("all items in sight", whole, json!([])).await;

    let base64 = page.browser.get("/screenshot").await.unwrap();
    let bytes = "return [...atob(arguments[0])].map(c => c.charCodeAt(0))"; // spares us a decoder
    let picture: Vec<u8> = from_value(page.browser.run(bytes, json!([base64])).await.unwrap()).unwrap();
    assert!(picture.starts_with(b"\x89PNG"));
    assert!(picture.len() < 100_000, "{} bytes are too many for a repository", picture.len());
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("list.png"), &picture).unwrap();
    if std::env::var_os("UPDATE_SCREENSHOT").is_some_and(|value| value == "1") {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        fs::create_dir_all(&docs).unwrap();
        fs::write(docs.join("list.png"), &picture).unwrap();
    }
}
