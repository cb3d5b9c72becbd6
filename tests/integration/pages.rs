//! The pages, without JavaScript: links are followed and forms are sent.

use rocket::http::Method;

use crate::app::{App, FORM, encoded, form};

// The list

#[rocket::async_test]
async fn a_new_list_shows_its_three_sections_empty() {
    let page = App::start().await.get("/").await.is(200).shows("Nothing to do.").shows("Nothing begun.");
    for label in ["To Do", "Doing", "Done"] {
        assert!(page.body.contains(&format!("\">{label} <span class=\"count\">0</span></h2>")), "{}", page.body);
    }
}

#[rocket::async_test]
async fn each_section_has_its_items_and_their_number() {
    let app = App::start().await;
    for (title, status) in [("Rest", "todo"), ("Work", "doing"), ("Eat", "done"), ("Walk", "todo")] {
        app.has(title, status).await;
    }
    let page = app.get("/").await;
    assert_eq!(page.titles("todo"), ["Walk", "Rest"]);
    assert_eq!(page.titles("doing"), ["Work"]);
    assert_eq!(page.titles("done"), ["Eat"]);
    page.shows("To Do <span class=\"count\">2</span></h2>").shows("Done <span class=\"count\">1</span></h2>");
}

#[rocket::async_test]
async fn an_added_item_is_on_top_of_to_do_once() {
    let app = App::start().await;
    app.has("Older", "todo").await;
    let answer = app.post("/items", &[("title", "  Newer ")]).await.is(303);
    let page = app.get(answer.location()).await.is(200);
    assert_eq!(page.titles("todo"), ["Newer", "Older"]);
    assert_eq!(page.field("title").as_deref(), Some(""), "the box is ready for the next one");
}

#[rocket::async_test]
async fn an_added_item_has_its_description_and_its_due_date() {
    let app = App::start().await;
    let fields = [("title", "Pay"), ("description", "Line one\r\nLine two"), ("due", "2031-02-03")];
    app.post("/items", &fields).await.is(303);
    app.get("/").await.shows("Line one\nLine two").shows("Due <time datetime=\"2031-02-03\">3 Feb 2031</time>");
}

#[rocket::async_test]
async fn a_title_in_a_right_to_left_script_or_of_emoji_is_kept_as_it_is() {
    let app = App::start().await;
    for title in ["לקנות חלב 3%", "شراء الحليب", "👩‍👩‍👧 🦀"] {
        app.post("/items", &[("title", title)]).await.is(303);
        let page = app.get("/").await;
        assert_eq!(page.titles("todo")[0], title);
        assert!(page.body.contains("<p class=\"title\" dir=\"auto\">"));
    }
}

// Status

#[rocket::async_test]
async fn one_click_sets_a_status_and_the_item_is_on_top_of_its_new_section() {
    let app = App::start().await;
    app.has("Already begun", "doing").await;
    let id = app.has("Begin", "todo").await;
    let answer = app.sets_status(&id, "doing").await;
    assert!(answer.header("Location").unwrap().ends_with(&format!("#item-{id}")), "the view stays at the item");
    let page = app.get("/").await;
    assert_eq!(page.titles("doing"), ["Begin", "Already begun"]);
    assert!(page.titles("todo").is_empty());
}

#[rocket::async_test]
async fn setting_a_status_twice_does_no_harm_and_keeps_the_order() {
    let app = App::start().await;
    let [first, second] = [app.has("First", "todo").await, app.has("Second", "todo").await];
    for id in [&first, &second, &first] {
        app.sets_status(id, "doing").await;
    }
    assert_eq!(app.get("/").await.titles("doing"), ["Second", "First"]);
    for id in [&first, &second, &first] {
        app.sets_status(id, "done").await;
    }
    assert_eq!(app.get("/").await.titles("done"), ["Second", "First"]);
}

#[rocket::async_test]
async fn a_done_item_can_be_moved_back() {
    let app = App::start().await;
    let id = app.has("Not yet after all", "done").await;
    for status in ["doing", "todo"] {
        app.sets_status(&id, status).await;
        let page = app.get("/").await;
        assert_eq!(page.titles(status), ["Not yet after all"]);
        assert!(page.titles("done").is_empty());
    }
}

#[rocket::async_test]
async fn a_status_that_does_not_exist_is_refused_and_changes_nothing() {
    let app = App::start().await;
    let id = app.has("Wait", "todo").await;
    app.post(&format!("/items/{id}/status"), &[("status", "finished")]).await.is(422);
    app.post(&format!("/items/{id}/status"), &[]).await.is(422);
    assert_eq!(app.get("/").await.titles("todo"), ["Wait"]);
}

// Filter and search

#[rocket::async_test]
async fn a_filter_shows_its_section_alone_and_all_counts() {
    let app = App::start().await;
    app.has("Rest", "todo").await;
    app.has("Work", "doing").await;
    let page = app.get(&app.get("/").await.link("Doing").unwrap()).await.is(200).hides("Rest");
    assert_eq!(page.titles("doing"), ["Work"]);
    page.shows("To Do <span class=\"count\">1</span></a>").shows("aria-current=\"page\">Doing");
}

#[rocket::async_test]
async fn a_search_finds_upper_and_lower_case_of_any_script_in_titles_and_descriptions() {
    let app = App::start().await;
    app.has("ÉTÉ in Paris", "todo").await;
    app.has("Ждать", "doing").await;
    app.post("/items", &[("title", "Cake"), ("description", "Crème BRÛLÉE 100%_")]).await.is(303);
    for (search, status, found) in [
        ("été", "todo", "ÉTÉ in Paris"),
        ("Été IN", "todo", "ÉTÉ in Paris"),
        ("ждаТЬ", "doing", "Ждать"),
        ("brûlée", "todo", "Cake"),
        ("100%_", "todo", "Cake"),
    ] {
        let page = app.get(&format!("/?q={}", encoded(search))).await.is(200);
        assert_eq!(page.titles(status), [found], "{search}");
        assert_eq!(page.field("q").as_deref(), Some(search));
    }
    app.get("/?q=zebra").await.is(200).shows("Nothing here matches the search.");
    let all = app.get("/?q=%20%00").await.is(200);
    assert_eq!(all.titles("todo").len(), 2, "a blank search is none");
}

#[rocket::async_test]
async fn an_edit_that_does_not_say_what_it_has_seen_overwrites_nothing() {
    let app = App::start().await;
    let id = app.has("Before", "todo").await;
    app.post(&format!("/items/{id}"), &[("title", "After")]).await.is(409).shows("Before");
}

#[rocket::async_test]
async fn a_form_and_its_redirect_keep_the_filter_and_the_search() {
    let app = App::start().await;
    let id = app.has("Tea & cake", "todo").await;
    let query = "?status=todo&q=tea%20%26";
    let page = app.get(&format!("/{query}")).await;
    for path in ["/items", &format!("/items/{id}/status")] {
        assert!(page.body.replace("&#x2f;", "/").contains(&format!("action=\"{path}?")), "{path}");
    }
    let kept = page.action("Add").unwrap();
    let kept = kept.strip_prefix("/items").unwrap();
    let version = app.get(&format!("/items/{id}")).await.field("version").unwrap();
    for (path, fields) in [
        ("/items".to_owned(), form(&[("title", "Tea & more")])),
        (format!("/items/{id}"), form(&[("title", "Tea & scones"), ("version", &version)])),
        (format!("/items/{id}/status"), form(&[("status", "doing")])),
        (format!("/items/{id}/status"), form(&[("status", "todo")])),
        (format!("/items/{id}/delete"), String::new()),
    ] {
        let answer = app.send(Method::Post, &format!("{path}{kept}"), &[FORM], fields).await.is(303);
        let page = app.get(answer.location()).await.is(200).shows("Tea & more").hides("Nothing begun.");
        assert_eq!(page.field("q").as_deref(), Some("tea &"), "{path}");
    }
}

#[rocket::async_test]
async fn an_address_with_nonsense_shows_the_list() {
    let app = App::start().await;
    app.has("Here", "todo").await;
    for query in ["status=later", "older=perhaps", "undo=none", "undo=..%2f", "after=a%2fb", "after=unknown", "x=y"] {
        assert_eq!(app.get(&format!("/?{query}")).await.is(200).titles("todo"), ["Here"], "{query}");
    }
}

// Due dates

#[rocket::async_test]
async fn only_what_is_due_before_today_and_not_done_is_overdue() {
    let app = App::start().await;
    let today = jiff::ZonedDateTime::now().date();
    let yesterday = today.yesterday().unwrap();
    for (title, due) in [("Late", yesterday), ("Just in time", today), ("Late but done", yesterday)] {
        app.post("/items", &[("title", title), ("due", &due.to_string())]).await.is(303);
    }
    let (id, _) = app.get("/").await.items("todo").swap_remove(0);
    app.sets_status(&id, "done").await;
    let page = app.get("/").await;
    assert_eq!(page.body.matches("Overdue <time").count(), 1, "{}", page.body);
    page.shows(&format!("Overdue <time datetime=\"{yesterday}\"")).shows(&format!("Due <time datetime=\"{today}\""));
}

// Done

#[rocket::async_test]
async fn up_to_four_done_items_are_all_shown_however_old() {
    let app = App::start().await;
    for number in 1..=4 {
        app.has(&format!("Old {number}"), "done").await;
    }
    app.all_was_done_earlier(40).await;
    let page = app.get("/").await.hides("Show older");
    assert_eq!(page.titles("done"), ["Old 4", "Old 3", "Old 2", "Old 1"]);
}

#[rocket::async_test]
async fn from_five_done_items_on_only_todays_are_shown_until_older_ones_are_asked_for() {
    let app = App::start().await;
    for number in 1..=4 {
        app.has(&format!("Old {number}"), "done").await;
    }
    app.all_was_done_earlier(1).await;
    app.has("Today", "done").await;
    let page = app.get("/").await.shows("Done <span class=\"count\">5</span></h2>");
    assert_eq!(page.titles("done"), ["Today"]);
    let older = page.link("Show older (4)").expect("a link");
    assert!(older.contains("older=true"), "{older}");
    let page = app.get(&older).await.is(200);
    assert_eq!(page.titles("done"), ["Today", "Old 4", "Old 3", "Old 2", "Old 1"]);
    assert_eq!(app.get(&page.link("Hide older").unwrap()).await.titles("done"), ["Today"]);
}

#[rocket::async_test]
async fn a_day_on_which_nothing_was_finished_says_so() {
    let app = App::start().await;
    for number in 1..=5 {
        app.has(&format!("Old {number}"), "done").await;
    }
    app.all_was_done_earlier(1).await;
    let page = app.get("/").await.shows("Nothing finished today.").shows("Show older (5)");
    assert!(page.titles("done").is_empty());
}

// Paging

/// All titles that a reader sees who follows "Show more" to the end, page by page.
async fn pages_of(app: &App, status: &str, start: &str) -> Vec<Vec<String>> {
    let mut pages = vec![];
    let mut next = Some(start.to_owned());
    while let Some(path) = next {
        let page = app.get(&path).await.is(200);
        pages.push(page.titles(status));
        next = page.link("Show more");
    }
    pages
}

#[rocket::async_test]
async fn thirty_items_fit_on_a_page_and_one_more_has_a_link() {
    let app = App::start().await;
    for number in 1..=30 {
        app.has(&format!("Item {number}"), "todo").await;
    }
    assert_eq!(app.get("/").await.link("Show more"), None);
    app.has("Item 31", "todo").await;
    let pages = pages_of(&app, "todo", "/").await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [30, 1]);
}

#[rocket::async_test]
async fn following_show_more_shows_every_item_once_and_in_order() {
    let app = App::start().await;
    for (status, start) in [("todo", "/"), ("doing", "/?status=doing&q=item"), ("done", "/?status=done&older=true")] {
        for number in 1..=70 {
            app.has(&format!("Item {number}"), status).await;
        }
        if status == "done" {
            // All at the same moment: their order must still be the same on every page.
            let sql = "update items set done_at = 1 where status = 'done'";
            sqlx::query(sql).execute(&mut app.file().await).await.unwrap();
        }
        let shown = pages_of(&app, status, start).await.concat();
        let all: Vec<_> = (1..=70).rev().map(|number| format!("Item {number}")).collect();
        assert_eq!(shown, all, "{status}");
    }
}

#[rocket::async_test]
async fn a_page_does_not_shift_when_items_come_and_go_before_it() {
    let app = App::start().await;
    for number in 1..=40 {
        app.has(&format!("Item {number}"), "todo").await;
    }
    let first = app.get("/").await;
    // Even the very item that the link names may go.
    for (id, _) in &first.items("todo")[25..] {
        app.post(&format!("/items/{id}/delete"), &[]).await.is(303);
    }
    app.has("New on top", "todo").await;
    let second = app.get(&first.link("Show more").unwrap()).await;
    let rest: Vec<_> = (1..=10).rev().map(|number| format!("Item {number}")).collect();
    assert_eq!(second.titles("todo"), rest);
}

// Editing

#[rocket::async_test]
async fn an_edit_keeps_title_description_and_due_date_and_nothing_else_changes() {
    let app = App::start().await;
    let id = app.has("Before", "doing").await;
    let before = app.item(&id).await;
    let page = app.get(&format!("/items/{id}")).await.is(200);
    assert_eq!(page.field("title").as_deref(), Some("Before"));
    let version = page.field("version").unwrap();
    let fields = [("version", &*version), ("title", "After"), ("description", "More\r\nof it"), ("due", "2031-02-03")];
    app.post(&format!("/items/{id}"), &fields).await.is(303);
    let after = app.item(&id).await;
    assert_eq!((&after["title"], &after["description"]), (&"After".into(), &"More\nof it".into()));
    assert_eq!(after["due"], "2031-02-03");
    for same in ["id", "status", "order", "created"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    let page = app.get(&format!("/items/{id}")).await;
    assert_eq!(page.field("description").as_deref(), Some("More\nof it"));
    assert_eq!(page.field("due").as_deref(), Some("2031-02-03"));
    let version = page.field("version").unwrap();
    app.post(&format!("/items/{id}"), &[("version", &*version), ("title", "After"), ("due", "")]).await.is(303);
    assert!(app.item(&id).await["due"].is_null(), "an emptied field takes the date away");
}

#[rocket::async_test]
async fn the_second_of_two_editors_is_told_and_overwrites_nothing_until_saving_again() {
    let app = App::start().await;
    let id = app.has("Plan", "todo").await;
    let path = format!("/items/{id}");
    let seen = app.get(&path).await.field("version").unwrap();

    app.post(&path, &[("version", &*seen), ("title", "Plan of Ann"), ("description", "Ann's")]).await.is(303);
    let bobs = [("title", "Plan of Bob"), ("description", "Bob's"), ("due", "2031-02-03")];
    let page = app.post(&path, &[&[("version", &*seen)], &bobs[..]].concat()).await.is(409);

    let page = page.shows("changed while you were editing").shows(">Plan of Ann</dd>").shows(">Ann's</dd>");
    for (name, typed) in bobs {
        assert_eq!(page.field(name).as_deref(), Some(typed), "{name}");
    }
    assert_eq!(app.item(&id).await["title"], "Plan of Ann");

    let now = page.field("version").unwrap();
    app.post(&path, &[&[("version", &*now)], &bobs[..]].concat()).await.is(303);
    assert_eq!(app.item(&id).await["title"], "Plan of Bob");
}

#[rocket::async_test]
async fn an_edit_of_an_item_that_was_deleted_meanwhile_is_not_found() {
    let app = App::start().await;
    let id = app.has("Gone", "todo").await;
    let version = app.get(&format!("/items/{id}")).await.field("version").unwrap();
    app.post(&format!("/items/{id}/delete"), &[]).await.is(303);
    for title in ["Back", " "] {
        app.post(&format!("/items/{id}"), &[("version", &version), ("title", title)]).await.is(404);
    }
}

// Refused forms

/// Everything that cannot be kept, with what the page says of it.
fn wrong_forms() -> Vec<([(&'static str, String); 3], &'static str)> {
    let form = |title: &str, description: &str, due: &str| {
        [("title", title.to_owned()), ("description", description.to_owned()), ("due", due.to_owned())]
    };
    vec![
        (form("   ", "Kept text", "2031-02-03"), "A title is needed."),
        (form("", "Kept text", "2031-02-03"), "A title is needed."),
        (form(&"x".repeat(201), "Kept text", ""), "The title has 201 characters; at most 200 fit."),
        (form("a\0b", "Kept text", "2031-02-03"), "(U+0000)"),
        (form("a\u{202e}b", "Kept text", ""), "(U+202E)"),
        (form("a\nb", "Kept text", ""), "(U+000A)"),
        (form("Kept title", &"é".repeat(5001), ""), "The description has 5001 characters; at most 5000 fit."),
        (form("Kept title", "bell\u{7}", "2031-02-03"), "(U+0007)"),
        (form("Kept title", "Kept text", "2027-02-29"), "is no calendar date"),
        (form("Kept title", "Kept text", "tomorrow"), "is no calendar date"),
    ]
}

#[rocket::async_test]
async fn a_refused_new_item_shows_why_and_all_that_was_typed() {
    let app = App::start().await;
    for (fields, why) in wrong_forms() {
        let page = app.post("/items?q=kept", &fields.each_ref().map(|(n, v)| (*n, &**v))).await.is(422).shows(why);
        for (name, typed) in fields {
            assert_eq!(page.field(name), Some(typed), "{name} after {why}");
        }
        assert_eq!(page.field("q").as_deref(), Some("kept"));
        assert!(page.body.contains("aria-invalid=\"true\""));
    }
    assert_eq!(app.get("/api/todos").await.body, "[]", "nothing was added");
}

#[rocket::async_test]
async fn a_refused_edit_shows_why_and_all_that_was_typed() {
    let app = App::start().await;
    let id = app.has("Saved", "todo").await;
    let path = format!("/items/{id}");
    let version = app.get(&path).await.field("version").unwrap();
    for (fields, why) in wrong_forms() {
        let mut sent = fields.each_ref().map(|(name, value)| (*name, &**value)).to_vec();
        sent.push(("version", &version));
        let page = app.post(&path, &sent).await.is(422).shows(why);
        for (name, typed) in sent {
            assert_eq!(page.field(name).as_deref(), Some(typed), "{name} after {why}");
        }
    }
    assert_eq!(app.item(&id).await["title"], "Saved");
}

#[rocket::async_test]
async fn several_wrong_fields_are_all_told_at_once() {
    let fields = [("title", ""), ("description", "bell\u{7}"), ("due", "soon")];
    let page = App::start().await.post("/items", &fields).await.is(422);
    page.shows("A title is needed.").shows("(U+0007)").shows("is no calendar date");
}

#[rocket::async_test]
async fn bytes_that_are_not_utf_8_are_refused_and_not_guessed() {
    let app = App::start().await;
    let escaped = app.send(Method::Post, "/items", &[FORM], "title=a%FFb&description=Kept").await.is(422);
    let escaped = escaped.shows("(U+FFFD)");
    assert_eq!(escaped.field("description").as_deref(), Some("Kept"));
    let raw = app.send(Method::Post, "/items", &[FORM], b"title=a\xffb&description=Kept").await;
    assert!((400..500).contains(&raw.status), "{}", raw.status);
    assert_eq!(app.get("/api/todos").await.body, "[]", "nothing was added");
}

#[rocket::async_test]
async fn a_form_far_longer_than_any_item_is_refused_on_a_page() {
    let app = App::start().await;
    let huge = "x".repeat(1_000_000);
    app.post("/items", &[("title", &huge)]).await.is(413).shows("more than this address takes").hides("xxx");
    assert_eq!(app.get("/api/todos").await.body, "[]", "nothing was added");
}

#[rocket::async_test]
async fn a_form_without_its_fields_is_a_blank_one() {
    App::start().await.post("/items", &[]).await.is(422).shows("A title is needed.");
}

#[rocket::async_test]
async fn a_title_of_200_characters_and_a_description_of_5000_are_kept_whole() {
    let app = App::start().await;
    let [title, description] = [format!("{}🦀", "x".repeat(199)), "é".repeat(5000)];
    app.post("/items", &[("title", &title), ("description", &description)]).await.is(303);
    let page = app.get("/").await.shows(&description);
    assert_eq!(page.titles("todo"), [title]);
}

// Deleting and undoing

#[rocket::async_test]
async fn undo_brings_a_deleted_item_back_exactly_as_it_was() {
    let app = App::start().await;
    app.has("Below", "doing").await;
    let id = app.has("Precious", "doing").await;
    app.has("Above", "doing").await;
    let before = app.item(&id).await;

    let answer = app.post(&format!("/items/{id}/delete?status=doing"), &[]).await.is(303);
    let page = app.get(answer.location()).await.shows("Deleted “Precious”.");
    assert_eq!(page.titles("doing"), ["Above", "Below"]);
    app.get(&format!("/items/{id}")).await.is(404);

    let undo = page.action("Undo").unwrap();
    let answer = app.post(&undo, &[]).await.is(303);
    let page = app.get(answer.location()).await.hides("Undo");
    assert_eq!(page.titles("doing"), ["Above", "Precious", "Below"]);
    assert_eq!(app.item(&id).await, before);

    app.post(&undo, &[]).await.is(303);
    assert_eq!(app.item(&id).await, before, "undoing twice does no harm");
}

#[rocket::async_test]
async fn undoing_twice_does_not_bring_back_what_was_deleted_again_since() {
    let app = App::start().await;
    let id = app.has("Out", "todo").await;
    let answer = app.post(&format!("/items/{id}/delete"), &[]).await;
    let undo = app.get(answer.location()).await.action("Undo").unwrap();
    app.post(&undo, &[]).await.is(303);
    app.post(&format!("/items/{id}/delete"), &[]).await.is(303);
    app.post(&undo, &[]).await.is(303);
    assert!(app.get("/").await.titles("todo").is_empty());
}

#[rocket::async_test]
async fn deleting_twice_is_not_found_and_the_first_can_still_be_undone() {
    let app = App::start().await;
    let id = app.has("Double click", "todo").await;
    let answer = app.post(&format!("/items/{id}/delete"), &[]).await.is(303);
    app.post(&format!("/items/{id}/delete"), &[]).await.is(404);
    let undo = app.get(answer.location()).await.action("Undo").unwrap();
    app.post(&undo, &[]).await.is(303);
    assert_eq!(app.get("/").await.titles("todo"), ["Double click"]);
}

#[rocket::async_test]
async fn all_done_items_are_cleared_at_once_and_brought_back_at_once() {
    let app = App::start().await;
    for title in ["One", "Two", "Three"] {
        app.has(title, "done").await;
    }
    app.has("Still open", "todo").await;
    let clear = app.get("/").await.action("Clear all done").unwrap();
    let answer = app.post(&clear, &[]).await.is(303);
    let page = app.get(answer.location()).await.shows("Deleted 3 items.");
    assert!(page.titles("done").is_empty());
    assert_eq!(page.titles("todo"), ["Still open"]);
    assert_eq!(page.action("Clear all done"), None, "there is nothing to clear");

    app.post(&page.action("Undo").unwrap(), &[]).await.is(303);
    assert_eq!(app.get("/").await.titles("done"), ["Three", "Two", "One"]);
}

#[rocket::async_test]
async fn what_was_deleted_over_30_days_ago_is_gone_for_good() {
    let app = App::start().await;
    let [old, new] = [app.has("Old", "todo").await, app.has("New", "todo").await];
    app.post(&format!("/items/{old}/delete"), &[]).await.is(303);
    let long_ago = uuid_of(31);
    let sql = "update items set deletion = $1 where deletion is not null";
    sqlx::query(sql).bind(&long_ago).execute(&mut app.file().await).await.unwrap();
    app.post(&format!("/items/{new}/delete"), &[]).await.is(303);
    app.post(&format!("/deletions/{long_ago}/restore"), &[]).await.is(303);
    app.get(&format!("/items/{old}")).await.is(404);
}

/// The id that an act of deleting had `days` ago.
fn uuid_of(days: i64) -> String {
    let then = jiff::Timestamp::now().as_second() - days * 86_400;
    uuid::Uuid::new_v7(uuid::Timestamp::from_unix_time(then.unsigned_abs(), 0, 0, 0)).to_string()
}

// Order

#[rocket::async_test]
async fn an_arrow_moves_an_item_past_its_neighbour_in_its_section() {
    let app = App::start().await;
    let [c, b, a] = [app.has("C", "todo").await, app.has("B", "todo").await, app.has("A", "todo").await];
    // An item of another section in between must not count.
    app.has("X", "doing").await;
    app.post(&format!("/items/{c}/place"), &[("before", &b)]).await.is(303);
    assert_eq!(app.get("/").await.titles("todo"), ["A", "C", "B"]);
    app.post(&format!("/items/{a}/place"), &[("after", &c)]).await.is(303);
    assert_eq!(app.get("/").await.titles("todo"), ["C", "A", "B"]);
    app.post(&format!("/items/{b}/place"), &[("before", &c)]).await.is(303);
    app.post(&format!("/items/{b}/place"), &[("before", &c)]).await.is(303);
    assert_eq!(app.get("/").await.titles("todo"), ["B", "C", "A"], "twice does no harm");
    app.post(&format!("/items/{b}/place"), &[("after", &a)]).await.is(303);
    assert_eq!(app.get("/").await.titles("todo"), ["C", "A", "B"]);
}

#[rocket::async_test]
async fn an_item_can_be_put_between_the_same_neighbours_again_and_again() {
    let app = App::start().await;
    let [last, c, b, _] = [
        app.has("Last", "todo").await,
        app.has("C", "todo").await,
        app.has("B", "todo").await,
        app.has("First", "todo").await,
    ];
    // Each move halves the distance to "First": after some fifty no number is left in between.
    for round in 0..100 {
        app.post(&format!("/items/{c}/place"), &[("before", &b)]).await.is(303);
        assert_eq!(app.get("/").await.titles("todo"), ["First", "C", "B", "Last"], "round {round}");
        app.post(&format!("/items/{b}/place"), &[("before", &c)]).await.is(303);
        assert_eq!(app.get("/").await.titles("todo"), ["First", "B", "C", "Last"], "round {round}");
    }
    for round in 0..100 {
        app.post(&format!("/items/{b}/place"), &[("after", &c)]).await.is(303);
        assert_eq!(app.get("/").await.titles("todo"), ["First", "C", "B", "Last"], "round {round}");
        app.post(&format!("/items/{c}/place"), &[("after", &b)]).await.is(303);
        assert_eq!(app.get("/").await.titles("todo"), ["First", "B", "C", "Last"], "round {round}");
    }
    app.post(&format!("/items/{last}/place"), &[("before", &b)]).await.is(303);
    assert_eq!(app.get("/").await.titles("todo"), ["First", "Last", "B", "C"]);
}

#[rocket::async_test]
async fn an_item_can_be_put_between_two_that_stand_at_the_same_number() {
    let app = App::start().await;
    for title in ["A", "B", "C"] {
        let body = format!(r#"{{"title": "{title}", "order": 5}}"#);
        app.json(Method::Post, "/api/todos", &body).await.is(201);
    }
    let items = app.get("/").await.items("todo");
    let [(_, _), (second, _), (third, _)] = &items[..] else { panic!("three items") };
    app.post(&format!("/items/{third}/place"), &[("before", second)]).await.is(303);
    let titles = app.get("/").await.titles("todo");
    assert_eq!(titles, [&*items[0].1, &*items[2].1, &*items[1].1]);
}

#[rocket::async_test]
async fn a_place_that_makes_no_sense_is_refused_and_changes_nothing() {
    let app = App::start().await;
    let [b, a] = [app.has("B", "todo").await, app.has("A", "todo").await];
    let place = format!("/items/{b}/place");
    app.post(&place, &[]).await.is(422);
    app.post(&place, &[("before", &a), ("after", &a)]).await.is(422);
    app.post(&place, &[("before", "unknown")]).await.is(404);
    app.post("/items/unknown/place", &[("before", &a)]).await.is(404);
    app.post(&place, &[("before", &b)]).await;
    assert_eq!(app.get("/").await.titles("todo"), ["A", "B"]);
}

// Not found, and escaped

#[rocket::async_test]
async fn an_unknown_item_is_a_404_page_that_names_the_request() {
    let app = App::start().await;
    for path in ["/items/0190-unknown", "/items/not%20an%20id", "/items/a.b", "/nowhere"] {
        let page = app.get(path).await.is(404).shows("Back to the list");
        let id = page.header("X-Request-Id").expect("an id").to_owned();
        page.shows(&format!("Request <code>{id}</code>"));
    }
    for act in ["status", "delete", "place"] {
        app.post(&format!("/items/unknown/{act}"), &[("status", "done"), ("before", "other")]).await.is(404);
    }
}

#[rocket::async_test]
async fn a_request_id_that_a_proxy_gave_is_kept_and_one_with_markup_is_not() {
    let app = App::start().await;
    let id = |given: &'static str| {
        let app = &app;
        async move {
            let page = app.send(Method::Get, "/nowhere", &[("X-Request-Id", given)], "").await.is(404);
            page.header("X-Request-Id").unwrap().to_owned()
        }
    };
    assert_eq!(id("edge-42.a_b").await, "edge-42.a_b");
    assert_ne!(id("<b>").await, "<b>");
}

#[rocket::async_test]
async fn markup_is_shown_as_text_wherever_it_is_shown() {
    let app = App::start().await;
    let markup = r#"</textarea></title><script>alert("x")</script>' onfocus='y"#;
    let fields = [("title", markup), ("description", markup), ("due", "")];
    app.post("/items", &fields).await.is(303);
    let list = app.get("/").await;
    let (id, title) = list.items("todo").swap_remove(0);
    assert_eq!(title, markup);
    let wrong = [("title", markup), ("description", markup), ("due", markup)];
    let stale = [("version", "1"), ("title", markup), ("description", markup)];
    let search = app.get(&format!("/?q={}", encoded(markup))).await;
    let edit = app.get(&format!("/items/{id}")).await;
    let refused_new = app.post("/items", &wrong).await.is(422);
    let refused_edit = app.post(&format!("/items/{id}"), &wrong).await.is(422);
    let conflict = app.post(&format!("/items/{id}"), &stale).await.is(409);
    let deleted = app.post(&format!("/items/{id}/delete?q={}", encoded(markup)), &[]).await.is(303);
    let notice = app.get(deleted.location()).await.shows("Deleted “");
    for page in [list, search, edit, refused_new, refused_edit, conflict, notice] {
        for raw in ["<script>alert", "</textarea></title>", "' onfocus", "\"x\""] {
            assert!(!page.body.contains(raw), "{raw} in:\n{}", page.body);
        }
        page.shows("<script>alert(\"x\")</script>' onfocus='y");
    }
}
