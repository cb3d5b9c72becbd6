//! Without a mouse.

use rocket::serde::json::json;

use crate::app::{App, item};
use crate::page::{ENTER, Page, TAB};

/// The name of what has the focus.
const FOCUSED: &str = "
    const e = document.activeElement;
    return (e.getAttribute('aria-label') ?? e.labels?.[0]?.textContent ?? e.textContent).trim()";

impl Page {
    /// Goes with the Tab key to what has this name; on the way, the focus can always be seen.
    async fn tab_to(&self, name: &str) {
        for _ in 0..60 {
            self.keys([TAB]).await;
            self.shows_the_focus().await;
            if self.js(FOCUSED).await == json!(name) {
                return;
            }
        }
        panic!("the Tab key does not lead to {name:?}");
    }

    /// As [`Page::tab_to`], backwards.
    async fn tab_back_to(&self, name: &str) {
        for _ in 0..60 {
            self.tab_back().await;
            self.shows_the_focus().await;
            if self.js(FOCUSED).await == json!(name) {
                return;
            }
        }
        panic!("Shift and Tab do not lead to {name:?}");
    }

    async fn shows_the_focus(&self) {
        let hidden = "
            const e = document.activeElement;
            if (e === document.body) return null; // between the last and the first one
            const { outlineStyle, outlineWidth } = getComputedStyle(e);
            const { width, height } = e.getBoundingClientRect();
            const seen = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1 && width > 1 && height > 1;
            return seen ? null : e.outerHTML";
        let hidden = self.js(hidden).await;
        assert!(hidden.is_null(), "has the focus, but does not show it: {hidden}");
    }

    async fn enter(&self) {
        self.arrives(self.keys([ENTER])).await;
    }
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn items_are_added_moved_deleted_and_brought_back_by_keyboard_alone() {
    let app = App::start();
    let page = app.browse().await;
    page.is_in("New item").await;
    page.arrives(page.keys("Buy milk\u{e007}".chars())).await;
    page.shows("To Do", &["Buy milk"]).await;
    page.tab_to("Start: Buy milk").await;
    page.enter().await;
    page.shows("Doing", &["Buy milk"]).await;
    // The focus moved with the item, so its buttons are next.
    page.keys([TAB, TAB]).await;
    page.becomes("what has the focus", FOCUSED, json!([]), json!("To Do: Buy milk")).await;
    page.tab_to("Delete: Buy milk").await;
    page.enter().await;
    page.says("Deleted “Buy milk”.").await;
    page.tab_back_to("Undo").await;
    page.enter().await;
    page.shows("Doing", &["Buy milk"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn an_item_is_edited_by_keyboard_alone() {
    let app = App::start();
    app.has([item("todo", "Buy milk")]).await;
    let page = app.browse().await;
    page.tab_to("Buy milk").await;
    page.enter().await;
    page.tab_to("Title").await;
    page.keys("Buy beer".chars()).await; // the Tab key selects what it leads to
    page.enter().await;
    page.shows("To Do", &["Buy beer"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn every_control_is_reached_by_tab_and_shows_the_focus() {
    let app = App::start();
    app.has([item("todo", "Buy milk"), item("todo", "Call Ada"), item("doing", "Paint"), item("done", "Rest")]).await;
    let page = app.browse().await;
    page.tab_back_to("Skip to content").await;
    for name in ["Details", "Search", "Move down: Buy milk", "Delete: Paint", "Clear all done", "Doing: Rest"] {
        page.tab_to(name).await;
    }
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn the_skip_link_leads_past_the_head_of_the_page() {
    let app = App::start();
    let page = app.browse().await;
    page.tab_back_to("Skip to content").await;
    page.keys([ENTER]).await;
    page.becomes("what has the focus", "return document.activeElement.tagName", json!([]), json!("MAIN")).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn n_leads_to_the_new_item_and_a_slash_to_the_search_but_not_while_typing() {
    let app = App::start();
    let [milk] = app.has([item("todo", "Buy milk")]).await;
    let page = app.browse_at(&format!("/#item-{milk}")).await;
    page.is_at_item(&milk).await;
    page.keys(['/']).await;
    page.is_in("Search").await;
    page.holds("Search", "").await;
    page.keys("n/".chars()).await;
    page.is_in("Search").await;
    page.holds("Search", "n/").await;
    page.keys([TAB, 'n']).await;
    page.is_in("New item").await;
    page.holds("New item", "").await;
}
