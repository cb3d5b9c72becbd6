//! Pages do without scripts.

use rocket::serde::json::json;

use crate::app::App;
use crate::page::Page;

impl Page {
    /// Turns the pages' own scripts off; the test's still run.
    async fn scripts_off(&self) {
        self.browser.cdp("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
        self.go("data:text/html,<title>off</title><script>document.title = 'on'</script>").await;
        assert_eq!(self.js("return document.title").await, json!("off"));
        self.go("/").await;
    }
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn everything_works_without_javascript() {
    let app = App::start();
    let page = app.browse().await;
    page.scripts_off().await;
    page.is_in("New item").await;
    page.click("Details").await;
    page.write("Description", "Two litres").await;
    page.add("Buy milk").await;
    page.add("Call Ada").await;
    page.shows("To Do", &["Call Ada", "Buy milk"]).await;
    page.press("Move up: Buy milk").await;
    page.shows("To Do", &["Buy milk", "Call Ada"]).await;
    page.press("Start: Buy milk").await;
    page.shows("Doing", &["Buy milk"]).await;
    page.press("Buy milk").await;
    page.write("Title", "Buy oat milk").await;
    page.press("Save").await;
    page.shows("Doing", &["Buy oat milk"]).await;
    page.says("Two litres").await;
    page.write("Search", "oat").await;
    page.press("Search").await;
    page.shows("To Do", &[]).await;
    page.press("Clear search").await;
    page.press("Delete: Buy oat milk").await;
    page.shows("Doing", &[]).await;
    page.press("Undo").await;
    page.shows("Doing", &["Buy oat milk"]).await;
    page.press("Done: Buy oat milk").await;
    page.press("Clear all done").await;
    page.shows("Done", &[]).await;
    page.press("Undo").await;
    page.shows("Done", &["Buy oat milk"]).await;
    page.add("   ").await;
    page.says("A title is needed.").await;
}
