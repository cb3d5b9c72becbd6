//! New items.

use rocket::serde::json::json;

use crate::app::{App, full_item, item};

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn the_box_has_the_focus_so_that_items_are_typed_one_after_the_other() {
    let app = App::start();
    let page = app.browse().await;
    page.is_in("New item").await;
    for title in ["Buy milk", "Call Ada"] {
        page.arrives(page.keys(title.chars().chain([crate::page::ENTER]))).await;
        page.is_in("New item").await;
    }
    page.shows("To Do", &["Call Ada", "Buy milk"]).await;
    page.holds("New item", "").await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn a_description_and_a_due_date_are_kept() {
    let app = App::start();
    let page = app.browse().await;
    page.click("Details").await;
    page.write("Description", "Two litres\nof the red one").await;
    page.write("Due", "01312099").await;
    page.add("Buy milk").await;
    page.says("Two litres\nof the red one").await;
    page.says("Due 31 Jan 2099").await;
    page.press("Buy milk").await;
    page.holds("Title", "Buy milk").await;
    page.holds("Description", "Two litres\nof the red one").await;
    page.holds("Due", "2099-01-31").await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn a_refused_title_is_told_beside_its_field_and_nothing_typed_is_lost() {
    let app = App::start();
    let page = app.browse().await;
    let long = "x".repeat(201);
    for (title, message) in [("   ", "A title is needed."), (&long, "The title has 201 characters; at most 200 fit.")] {
        page.go("/").await;
        page.click("Details").await;
        page.write("Description", "Two litres").await;
        page.write("Due", "01312099").await;
        page.add(title).await;
        let told = "
            const field = document.querySelector('[aria-invalid=true]');
            const message = document.getElementById(field?.getAttribute('aria-describedby'));
            return message?.checkVisibility() && field.parentElement.contains(message) && message.textContent";
        page.becomes("the message beside the field", told, json!([]), json!(message)).await;
        page.is_in("New item").await;
        page.holds("New item", title).await;
        page.holds("Description", "Two litres").await;
        page.holds("Due", "2099-01-31").await;
        let shown = "return document.querySelector('[name=description]').checkVisibility()";
        page.waits_for("the details in sight", shown, json!([])).await;
    }
    page.shows("To Do", &[]).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn a_refused_item_can_be_corrected_and_added() {
    let app = App::start();
    app.has([item("todo", "Call Ada")]).await;
    let page = app.browse().await;
    page.click("Details").await;
    page.write("Description", "Two litres").await;
    page.add("   ").await;
    page.says("A title is needed.").await;
    page.add("Buy milk").await;
    page.shows("To Do", &["Buy milk", "Call Ada"]).await;
    page.says("Two litres").await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn a_double_click_on_add_adds_one_item() {
    let app = App::start();
    let page = app.browse().await;
    page.write("New item", "Buy milk").await;
    page.double_click("Add").await;
    page.reload().await;
    page.shows("To Do", &["Buy milk"]).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn an_overdue_item_says_so_in_words() {
    let app = App::start();
    app.has([full_item("todo", "Renew the passport", "", "2024-03-14")]).await;
    app.browse().await.says("Overdue 14 Mar 2024").await;
}
