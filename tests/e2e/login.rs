//! What a person does with a list that asks for a login.

use todo_app::login::LoginHash;

use crate::app::App;
use crate::page::Page;

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn who_logs_in_uses_the_list_as_ever() {
    let app = App::with_login(&LoginHash::of("ada:horse").unwrap());
    let page = Page::new(&app.url("")).await;
    // As if typed into the browser's own dialog, which no driver can reach.
    page.go(&app.url("/").replace("http://", "http://ada:horse@")).await;
    page.add("Buy milk").await;
    page.press("Start: Buy milk").await;
    page.shows("Doing", &["Buy milk"]).await;
    let styled = page.js("return [...document.styleSheets].some(sheet => sheet.cssRules.length > 50)").await;
    assert_eq!(styled, true, "the style sheet is asked for with the login, too");
}
