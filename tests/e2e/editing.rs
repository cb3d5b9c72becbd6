//! The page on which an item is edited.

use rocket::serde::json::json;

use crate::app::{App, full_item, item};

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn an_edited_item_is_saved_and_shown_on_the_list() {
    let app = App::start();
    let [_, ada] = app.has([item("todo", "Buy milk"), full_item("todo", "Call Ada", "At noon", "2099-01-31")]).await;
    let page = app.browse().await;
    page.press("Call Ada").await;
    page.holds("Description", "At noon").await;
    page.holds("Due", "2099-01-31").await;
    page.write("Title", "Visit Ada").await;
    page.write("Description", "At six").await;
    page.write("Due", "02012099").await;
    page.press("Save").await;
    page.shows("To Do", &["Buy milk", "Visit Ada"]).await;
    page.says("At six").await;
    page.says("Due 1 Feb 2099").await;
    page.is_at_item(&ada).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn cancel_changes_nothing_and_returns_to_the_same_part_of_the_list() {
    let app = App::start();
    app.has([item("todo", "Buy milk"), item("todo", "Call Ada")]).await;
    let page = app.browse_at("/?q=milk").await;
    page.press("Buy milk").await;
    page.write("Title", "Buy beer").await;
    page.press("Cancel").await;
    page.shows("To Do", &["Buy milk"]).await;
    page.holds("Search", "milk").await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn a_refused_edit_keeps_what_was_typed() {
    let app = App::start();
    app.has([item("todo", "Buy milk")]).await;
    let page = app.browse().await;
    page.press("Buy milk").await;
    page.write("Title", "   ").await;
    page.write("Description", "Two litres").await;
    page.press("Save").await;
    page.says("A title is needed.").await;
    page.is_in("Title").await;
    page.holds("Title", "   ").await;
    page.holds("Description", "Two litres").await;
    page.go("/").await;
    page.shows("To Do", &["Buy milk"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn a_change_by_somebody_else_is_shown_before_it_is_replaced() {
    let app = App::start();
    let [milk] = app.has([item("todo", "Buy milk")]).await;
    let page = app.browse().await;
    page.press("Buy milk").await;
    app.change(&milk, json!({ "title": "Buy oat milk" })).await;
    page.write("Title", "Buy goat milk").await;
    page.press("Save").await;
    page.says("This item was changed while you were editing").await;
    page.says("Buy oat milk").await;
    page.holds("Title", "Buy goat milk").await;
    page.press("Save").await;
    page.shows("To Do", &["Buy goat milk"]).await;
}
