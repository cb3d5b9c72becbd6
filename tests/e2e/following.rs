//! In the development profile an open page follows the source.

use crate::app::App;

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn an_open_page_follows_an_edit_of_a_template_and_of_css() {
    let (app, assets) = App::with_own_assets();
    let page = app.browse().await;
    let edit = |file: &str, from: &str, to: &str| {
        let file = assets.join(file);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from));
        std::fs::write(&file, text.replace(from, to)).unwrap();
    };
    page.arrives(async { edit("templates/list.html.j2", "What needs doing?", "What is next?") }).await;
    page.arrives(async { edit("static/app.css", "body", "/* edited */ body") }).await;
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn an_open_page_shows_what_a_failed_build_said_until_one_succeeds() {
    let (app, assets) = App::with_own_assets();
    let page = app.browse().await;
    std::fs::write(assets.join("build-error"), "error[E0425]: cannot find value `milk`").unwrap();
    page.says("cannot find value `milk`").await;
    std::fs::remove_file(assets.join("build-error")).unwrap();
    page.says_no_more("cannot find value `milk`").await;
}
