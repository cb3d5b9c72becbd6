//! What is deleted comes back by "Undo".

use crate::app::{App, item};

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn a_deleted_item_comes_back_where_it_was() {
    let app = App::start();
    app.has(["Buy milk", "Call Ada", "Paint"].map(|title| item("todo", title))).await;
    let page = app.browse().await;
    page.press("Delete: Call Ada").await;
    page.says("Deleted “Call Ada”.").await;
    page.shows("To Do", &["Buy milk", "Paint"]).await;
    page.press("Undo").await;
    page.shows("To Do", &["Buy milk", "Call Ada", "Paint"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn an_item_deleted_on_its_own_page_comes_back_too() {
    let app = App::start();
    app.has([item("doing", "Paint")]).await;
    let page = app.browse().await;
    page.press("Paint").await;
    page.press("Delete").await;
    page.shows("Doing", &[]).await;
    page.press("Undo").await;
    page.shows("Doing", &["Paint"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn all_that_is_done_is_cleared_at_once_and_comes_back_at_once() {
    let app = App::start();
    app.has([item("done", "Buy milk"), item("todo", "Call Ada"), item("done", "Paint")]).await;
    let page = app.browse().await;
    page.press("Clear all done").await;
    page.says("Deleted 2 items.").await;
    page.shows("Done", &[]).await;
    page.shows("To Do", &["Call Ada"]).await;
    page.press("Undo").await;
    page.shows("Done", &["Paint", "Buy milk"]).await;
    page.shows("To Do", &["Call Ada"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn a_double_click_on_delete_and_on_undo_does_no_harm() {
    let app = App::start();
    app.has([item("todo", "Buy milk"), item("todo", "Call Ada")]).await;
    let page = app.browse().await;
    page.double_click("Delete: Buy milk").await;
    page.shows("To Do", &["Call Ada"]).await;
    page.double_click("Undo").await;
    page.shows("To Do", &["Buy milk", "Call Ada"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn the_second_half_of_a_slow_double_click_does_not_delete_the_next_item() {
    let app = App::start();
    app.has([item("todo", "Buy milk"), item("todo", "Call Ada")]).await;
    let page = app.browse().await;
    page.double_click_slowly("Delete: Buy milk").await;
    page.shows("To Do", &["Call Ada"]).await;
    page.press("Undo").await;
    page.shows("To Do", &["Buy milk", "Call Ada"]).await;
}
