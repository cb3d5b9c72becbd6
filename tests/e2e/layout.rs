//! How pages look: on a small screen, in the dark, and while they load.

use rocket::serde::json::json;

use crate::app::{App, full_item, item};
use crate::page::Page;

/// Sixty letters of Hebrew without a space, and some with.
fn right_to_left() -> String {
    format!("{} לקנות חלב ולחם", "ש".repeat(60))
}

async fn fits_360_pixels(page: &Page, what: &str) {
    let width = page.js("return [innerWidth, document.scrollingElement.scrollWidth]").await;
    assert_eq!(width, json!([360, 360]), "{what}");
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn no_page_scrolls_sideways_on_a_phone() {
    let app = App::start();
    let (long, right_to_left) = ("W".repeat(200), right_to_left());
    let [first, second, ..] = app
        .has([
            full_item("todo", &long, &long, "2024-03-14"),
            full_item("todo", &right_to_left, &right_to_left, "2099-01-31"),
            item("doing", &long),
            item("doing", &right_to_left),
            item("done", &long),
            item("done", "Buy milk"),
        ])
        .await;
    let page = app.browse_at("/nothing/here").await;
    page.is_wide(360, 740).await;
    fits_360_pixels(&page, "an error page").await;
    for path in ["/", "/?status=todo", &format!("/?q={}", "W".repeat(150)), &format!("/items/{}", "x".repeat(64))] {
        page.go(path).await;
        fits_360_pixels(&page, path).await;
    }
    for id in [&first, &second] {
        page.go(&format!("/items/{id}")).await;
        fits_360_pixels(&page, "the page of an item").await;
        app.change(id, json!({ "description": right_to_left })).await;
        page.press("Save").await;
        page.says("This item was changed while you were editing").await;
        fits_360_pixels(&page, "a conflict").await;
    }
    page.go("/").await;
    page.press(&format!("Delete: {long}")).await;
    fits_360_pixels(&page, "a notice").await;
    page.click("Details").await;
    page.write("Description", &long).await;
    fits_360_pixels(&page, "the open details").await;
    page.add(&"W".repeat(201)).await;
    fits_360_pixels(&page, "a refused item").await;
}

/// How light the page's background and its text are: 0 is black, 255 is white.
const LIGHTNESS: &str = "
    const lightness = colour => Math.round(colour.match(/\\d+/g).slice(0, 3).reduce((sum, c) => sum + +c, 0) / 3);
    const { backgroundColor, color } = getComputedStyle(document.body);
    return [lightness(backgroundColor), lightness(color)]";

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn the_page_is_dark_for_those_who_prefer_it_and_light_for_the_others() {
    let app = App::start();
    let page = app.browse().await;
    for (scheme, is_right) in [
        ("dark", (|background, text| background < 50 && text > 200) as fn(u64, u64) -> bool),
        ("light", |background, text| background > 220 && text < 60),
    ] {
        page.prefers(scheme).await;
        for path in ["/", "/nothing/here"] {
            page.go(path).await;
            let lightness = page.js(LIGHTNESS).await;
            let [background, text] = [0, 1].map(|at| lightness[at].as_u64().unwrap());
            assert!(is_right(background, text), "{scheme} {path}: background {background}, text {text}");
        }
    }
}

/// The sum of all layout shifts since the page began to load.
const SHIFTS: &str = "
    window.shifts = 0;
    new PerformanceObserver(list => list.getEntries().forEach(entry => window.shifts += entry.value))
        .observe({ type: 'layout-shift', buffered: true });";

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn nothing_jumps_while_a_full_list_loads() {
    let app = App::start();
    app.has(std::array::from_fn::<_, 20, _>(|at| {
        full_item(["todo", "doing", "done"][at % 3], &format!("Errand {at}"), "More about it", "2099-01-31")
    }))
    .await;
    let page = app.browse().await;
    page.reload().await;
    // Two frames later everything has been drawn, and the observer has been told.
    let drawn = "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => window.drawn = true)))";
    page.js(&format!("{SHIFTS} {drawn}")).await;
    page.waits_for("a drawn page", "return window.drawn === true", json!([])).await;
    let shifts = page.js("return window.shifts").await.as_f64().unwrap();
    assert!(shifts < 0.01, "the layout shifted by {shifts}");
    // The observer would have seen it.
    page.js("document.querySelector('main').style.marginTop = '300px'").await;
    page.waits_for("a shift on purpose", "return window.shifts > 0.01", json!([])).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn a_notice_that_comes_and_goes_moves_nothing() {
    let app = App::start();
    app.has([item("todo", "Buy milk"), item("todo", "Call Ada")]).await;
    let page = app.browse().await;
    let box_at = "return document.querySelector('[name=title]').getBoundingClientRect().top";
    let before = page.js(box_at).await;
    page.press("Delete: Buy milk").await;
    page.says("Deleted “Buy milk”.").await;
    assert_eq!(page.js(box_at).await, before);
}
