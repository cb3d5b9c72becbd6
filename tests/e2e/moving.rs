//! From one status to the next, and up and down.

use rocket::serde::json::json;

use crate::app::{App, item};

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn one_click_moves_an_item_and_the_focus_goes_with_it() {
    let app = App::start();
    let [milk, _, _] = app.has([item("todo", "Buy milk"), item("todo", "Call Ada"), item("doing", "Paint")]).await;
    let page = app.browse().await;
    page.press("Start: Buy milk").await;
    page.shows("To Do", &["Call Ada"]).await;
    page.shows("Doing", &["Buy milk", "Paint"]).await;
    page.is_at_item(&milk).await;
    page.press("Done: Buy milk").await;
    page.shows("Doing", &["Paint"]).await;
    page.shows("Done", &["Buy milk"]).await;
    page.is_at_item(&milk).await;
    page.press("To Do: Buy milk").await;
    page.shows("To Do", &["Buy milk", "Call Ada"]).await;
    page.is_at_item(&milk).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn a_long_list_scrolls_to_the_item_that_moved() {
    let app = App::start();
    app.has(std::array::from_fn::<_, 25, _>(|at| item("todo", &format!("Errand {at}")))).await;
    let [paint] = app.has([item("doing", "Paint")]).await;
    let page = app.browse().await;
    page.is_wide(360, 740).await;
    page.press("Done: Paint").await;
    page.shows("Done", &["Paint"]).await;
    page.is_at_item(&paint).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn a_double_click_on_a_status_button_moves_the_item_once() {
    let app = App::start();
    app.has([item("todo", "Buy milk"), item("todo", "Call Ada")]).await;
    let page = app.browse().await;
    page.double_click("Start: Buy milk").await;
    page.shows("Doing", &["Buy milk"]).await;
    page.reload().await;
    page.shows("To Do", &["Call Ada"]).await;
    page.shows("Doing", &["Buy milk"]).await;
    page.shows("Done", &[]).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn the_second_half_of_a_slow_double_click_does_not_move_the_next_item() {
    let app = App::start();
    app.has([item("todo", "Buy milk"), item("todo", "Call Ada")]).await;
    let page = app.browse().await;
    // The item below is under the mouse by now.
    page.double_click_slowly("Start: Buy milk").await;
    page.shows("To Do", &["Call Ada"]).await;
    page.shows("Doing", &["Buy milk"]).await;
    page.press("Start: Call Ada").await;
    page.shows("Doing", &["Call Ada", "Buy milk"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn arrows_move_an_item_up_and_down_and_it_stays_there() {
    let app = App::start();
    let [milk, _, _] = app.has(["Buy milk", "Call Ada", "Paint"].map(|title| item("todo", title))).await;
    let page = app.browse().await;
    page.press("Move down: Buy milk").await;
    page.shows("To Do", &["Call Ada", "Buy milk", "Paint"]).await;
    page.is_at_item(&milk).await;
    page.press("Move down: Buy milk").await;
    page.shows("To Do", &["Call Ada", "Paint", "Buy milk"]).await;
    page.press("Move up: Paint").await;
    page.shows("To Do", &["Paint", "Call Ada", "Buy milk"]).await;
    page.reload().await;
    page.shows("To Do", &["Paint", "Call Ada", "Buy milk"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn what_was_done_before_today_folds_away_and_unfolds() {
    let app = App::start();
    app.has(["Old 1", "Old 2", "Old 3", "Old 4"].map(|title| item("done", title))).await;
    app.sql("update items set done_at = done_at - 3 * 24 * 60 * 60 * 1000000").await;
    app.has([item("done", "Buy milk")]).await;
    let page = app.browse().await;
    page.shows("Done", &["Buy milk"]).await;
    page.press("Show older (4)").await;
    page.shows("Done", &["Buy milk", "Old 4", "Old 3", "Old 2", "Old 1"]).await;
    page.reload().await;
    page.shows("Done", &["Buy milk", "Old 4", "Old 3", "Old 2", "Old 1"]).await;
    page.press("Hide older").await;
    page.shows("Done", &["Buy milk"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn the_first_item_cannot_go_up_nor_the_last_one_down() {
    let app = App::start();
    app.has([item("todo", "Buy milk"), item("todo", "Call Ada")]).await;
    let page = app.browse().await;
    let disabled = "return [...document.querySelectorAll('button:disabled')].map(e => e.getAttribute('aria-label'))";
    let wanted = json!(["Move up: Buy milk", "Move down: Call Ada"]);
    page.becomes("the disabled buttons", disabled, json!([]), wanted).await;
}
