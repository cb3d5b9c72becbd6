//! No page breaks a rule of axe-core, in the light or in the dark.

use rocket::serde::json::{Value, json};

use crate::app::{App, full_item, item};
use crate::page::Page;

const AXE: &str = include_str!("axe.min.js");

/// All rules, and of what breaks them only what a person needs to find it.
const RUN: &str = "
    const done = arguments[0];
    axe.run().then(({ violations, passes }) => done({
        passes: passes.length,
        violations: violations.map(({ id, help, nodes }) => ({
            id, help, nodes: nodes.map(({ html, failureSummary }) => html + ' ' + failureSummary),
        })),
    }), error => done(String(error)));";

impl Page {
    async fn is_accessible(&self, what: &str) {
        self.js(AXE).await;
        for scheme in ["light", "dark"] {
            self.prefers(scheme).await;
            let found = self.browser.ask("/execute/async", json!({ "script": RUN, "args": [] })).await.unwrap();
            assert!(found["passes"].as_u64() > Some(10), "{what}: axe checked nothing: {found}");
            let violations = found["violations"].as_array().unwrap();
            assert!(violations.is_empty(), "{what}, {scheme}:\n{}", listed(violations));
        }
    }
}

fn listed(violations: &[Value]) -> String {
    let line = |violation: &Value| {
        let nodes: Vec<_> = violation["nodes"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        format!("{}: {}\n  {}\n", violation["id"], violation["help"], nodes.join("\n  "))
    };
    violations.iter().map(line).collect()
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn the_list_is_accessible_empty_and_full() {
    let app = App::start();
    let page = app.browse().await;
    page.is_accessible("an empty list").await;
    app.has(["Old 1", "Old 2", "Old 3", "Old 4"].map(|title| item("done", title))).await;
    app.sql("update items set done_at = done_at - 3 * 24 * 60 * 60 * 1000000").await;
    app.has([
        full_item("todo", "Renew the passport", "Photos first\nthen the form", "2024-03-14"),
        full_item("todo", "Plan the trip", "", "2099-01-31"),
        item("todo", "לקנות חלב"),
        item("doing", &"W".repeat(200)),
        full_item("done", "Buy milk", "Two litres", "2024-03-14"),
    ])
    .await;
    for path in ["/", "/?older=true", "/?status=todo", "/?q=milk", "/?q=nothing"] {
        page.go(path).await;
        page.is_accessible(path).await;
    }
    page.go("/").await;
    page.press("Start: Plan the trip").await;
    page.is_accessible("a list with the focus at an item").await;
    page.is_wide(360, 740).await;
    page.is_accessible("a list on a phone").await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn what_the_list_tells_is_accessible() {
    let app = App::start();
    app.has([item("todo", "Buy milk"), item("done", "Call Ada")]).await;
    let page = app.browse().await;
    page.press("Delete: Buy milk").await;
    page.says("Deleted “Buy milk”.").await;
    page.is_accessible("a notice").await;
    page.add("   ").await;
    page.says("A title is needed.").await;
    page.click("Details").await;
    page.is_accessible("a refused item").await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn the_page_of_an_item_is_accessible() {
    let app = App::start();
    let [milk] = app.has([full_item("todo", "Buy milk", "Two litres", "2099-01-31")]).await;
    let page = app.browse().await;
    page.press("Buy milk").await;
    page.is_accessible("the page of an item").await;
    page.write("Title", "   ").await;
    page.press("Save").await;
    page.says("A title is needed.").await;
    page.is_accessible("a refused edit").await;
    app.change(&milk, json!({ "description": "Three litres", "due": null })).await;
    page.write("Title", "Buy oat milk").await;
    page.press("Save").await;
    page.says("This item was changed while you were editing").await;
    page.is_accessible("a conflict").await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn error_pages_are_accessible() {
    let app = App::start();
    let page = app.browse_at("/nothing/here").await;
    page.says("Error 404").await;
    page.is_accessible("an unknown address").await;
    app.sql("alter table items rename to gone").await;
    page.go("/").await;
    page.says("Error 503").await;
    page.is_accessible("a store that does not answer").await;
}
