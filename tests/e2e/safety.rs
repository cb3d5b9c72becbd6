//! What a page must not do: talk to other hosts, break its policy, hide why it failed.

use rocket::serde::json::json;

use crate::app::{App, full_item};

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn pages_ask_no_other_host_and_break_no_policy() {
    let app = App::start();
    let [milk] = app.has([full_item("todo", "Buy milk", "Two litres", "2099-01-31")]).await;
    let page = app.browse().await;
    let hosts = "
        const asked = performance.getEntriesByType('resource').map(entry => new URL(entry.name));
        return [asked.length > 0, asked.filter(url => url.origin !== location.origin).map(url => url.href)]";
    for path in ["/", &format!("/items/{milk}"), "/?status=done&q=milk"] {
        page.go(path).await;
        assert_eq!(page.js(hosts).await, json!([true, []]), "{path}");
    }
    page.go("/").await;
    page.press("Start: Buy milk").await;
    page.press("Delete: Buy milk").await;
    page.press("Undo").await;
    assert_eq!(page.console().await, "");
    // The console would have told.
    page.js("document.body.insertAdjacentHTML('beforeend', '<img src=http://127.0.0.1:9/x.png>')").await;
    let console = page.console().await;
    assert!(console.contains("Content Security Policy"), "{console}");
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn an_unknown_item_is_told_with_the_requests_id_and_a_way_back() {
    let app = App::start();
    let page = app.browse_at("/items/0190c0de-0000-7000-8000-000000000000").await;
    page.says("There is no such item; it may have been deleted.").await;
    page.says("Error 404").await;
    let id = page.js("return document.querySelector('.facts code').innerText").await;
    assert!(id.as_str().unwrap().len() > 8, "{id}");
    // It is the one that the answer's header and the log have.
    assert!(app.log().contains(id.as_str().unwrap()), "the log does not know {id}");
    page.press("Back to the list").await;
    page.shows("To Do", &[]).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn an_item_that_is_gone_meanwhile_leads_to_an_error_page_and_not_to_a_blank_one() {
    let app = App::start();
    let [milk] = app.has([full_item("todo", "Buy milk", "", "")]).await;
    let page = app.browse().await;
    app.delete(&milk).await;
    page.press("Start: Buy milk").await;
    page.says("There is no such item; it may have been deleted.").await;
    page.press("Back to the list").await;
    page.shows("To Do", &[]).await;
}
