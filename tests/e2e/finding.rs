//! Filters and the search: the address says what is shown.

use crate::app::{App, full_item, item};

async fn errands() -> App {
    let app = App::start();
    app.has([
        item("todo", "Buy milk"),
        item("todo", "Call Ada"),
        item("doing", "Boil milk"),
        full_item("done", "Breakfast", "with Milk", "2099-01-31"),
    ])
    .await;
    app
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn a_filter_and_a_search_outlive_a_reload_and_a_bookmark() {
    let app = errands().await;
    let page = app.browse().await;
    page.press("To Do 2").await;
    page.shows("To Do", &["Buy milk", "Call Ada"]).await;
    page.write("Search", "MILK").await;
    page.press("Search").await;
    page.shows("To Do", &["Buy milk"]).await;
    page.reload().await;
    page.shows("To Do", &["Buy milk"]).await;
    page.holds("Search", "MILK").await;

    let bookmark = page.address().await;
    drop(page);
    let page = app.browse_at(&bookmark).await;
    page.shows("To Do", &["Buy milk"]).await;
    page.holds("Search", "MILK").await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn a_search_looks_through_titles_and_descriptions_of_all_sections_and_can_be_cleared() {
    let app = errands().await;
    let page = app.browse().await;
    page.write("Search", "milk").await;
    page.press("Search").await;
    page.shows("To Do", &["Buy milk"]).await;
    page.shows("Doing", &["Boil milk"]).await;
    page.shows("Done", &["Breakfast"]).await;
    page.press("Clear search").await;
    page.shows("To Do", &["Buy milk", "Call Ada"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn back_returns_to_the_filter_before() {
    let app = errands().await;
    let page = app.browse().await;
    page.press("To Do 2").await;
    page.press("Doing 1").await;
    page.shows("Doing", &["Boil milk"]).await;
    page.back().await;
    page.shows("To Do", &["Buy milk", "Call Ada"]).await;
    page.back().await;
    page.shows("Done", &["Breakfast"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn after_going_back_the_buttons_still_work() {
    let app = errands().await;
    let page = app.browse().await;
    page.press("Start: Call Ada").await;
    page.shows("Doing", &["Call Ada", "Boil milk"]).await;
    page.back().await;
    page.press("Done: Call Ada").await;
    page.shows("Done", &["Call Ada", "Breakfast"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn moving_an_item_keeps_the_filter_and_the_search() {
    let app = errands().await;
    let page = app.browse_at("/?status=todo&q=milk").await;
    page.press("Start: Buy milk").await;
    page.shows("To Do", &[]).await;
    page.says("Nothing here matches the search.").await;
    page.holds("Search", "milk").await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn a_long_section_is_shown_in_parts() {
    let app = App::start();
    app.has(std::array::from_fn::<_, 31, _>(|at| item("todo", &format!("Errand {at}")))).await;
    let page = app.browse().await;
    page.press("Show more in To Do").await;
    page.shows("To Do", &["Errand 30"]).await;
    page.back().await;
    page.says("Errand 29").await;
}
