//! The JSON API: the 16 cases of the public Todo-Backend contract, then what is ours.

use std::collections::BTreeSet;

use rocket::http::Method::{Delete, Get, Patch, Post, Put};
use rocket::serde::json::Value;

use crate::app::{Answer, App};
use crate::support::Server;
use crate::support::client;

impl App {
    async fn posts(&self, body: &str) -> Value {
        self.json(Post, "/api/todos", body).await.is(201).json()
    }

    async fn patches(&self, todo: &Value, body: &str) -> Answer {
        self.json(Patch, path(todo), body).await
    }

    async fn list(&self) -> Vec<Value> {
        self.get("/api/todos").await.is(200).json().as_array().unwrap().clone()
    }
}

/// The part of a todo's address that follows the site.
fn path(todo: &Value) -> &str {
    let url = todo["url"].as_str().expect("a url");
    &url[url.find("/api/").expect("an address of the API")..]
}

// The contract: its pre-requisites

#[rocket::async_test]
async fn the_root_answers_a_get() {
    let answer = App::start().await.get("/api/todos").await.is(200);
    assert_eq!((answer.body.as_str(), answer.header("Content-Type")), ("[]", Some("application/json")));
}

#[rocket::async_test]
async fn the_root_answers_a_post_with_the_todo_that_was_posted() {
    assert_eq!(App::start().await.posts(r#"{"title": "a todo"}"#).await["title"], "a todo");
}

#[rocket::async_test]
async fn the_root_answers_a_delete() {
    App::start().await.send(Delete, "/api/todos", &[], "").await.is(204);
}

#[rocket::async_test]
async fn after_a_delete_the_root_is_an_empty_array() {
    let app = App::start().await;
    app.posts(r#"{"title": "a todo"}"#).await;
    app.send(Delete, "/api/todos", &[], "").await.is(204);
    assert_eq!(app.get("/api/todos").await.body, "[]");
}

// The contract: storing new todos

#[rocket::async_test]
async fn a_posted_todo_is_on_the_list() {
    let app = App::start().await;
    app.posts(r#"{"title": "walk the dog"}"#).await;
    let list = app.list().await;
    assert_eq!((list.len(), &list[0]["title"]), (1, &"walk the dog".into()));
}

#[rocket::async_test]
async fn a_posted_todo_is_not_completed() {
    let todo = App::start().await.posts(r#"{"title": "blah"}"#).await;
    assert_eq!((&todo["completed"], &todo["status"]), (&false.into(), &"todo".into()));
}

#[rocket::async_test]
async fn a_posted_todo_has_a_url() {
    assert!(App::start().await.posts(r#"{"title": "blah"}"#).await["url"].is_string());
}

#[rocket::async_test]
async fn the_url_of_a_posted_todo_returns_it() {
    let app = App::start().await;
    let todo = app.posts(r#"{"title": "my todo"}"#).await;
    assert_eq!(app.get(path(&todo)).await.is(200).json(), todo);
}

// The contract: working with an existing todo

#[rocket::async_test]
async fn a_client_finds_its_way_from_the_list_to_a_todo() {
    let app = App::start().await;
    app.posts(r#"{"title": "todo the first"}"#).await;
    app.posts(r#"{"title": "todo the second"}"#).await;
    for todo in app.list().await {
        assert_eq!(app.get(path(&todo)).await.is(200).json(), todo);
    }
}

#[rocket::async_test]
async fn a_patch_changes_the_title() {
    let app = App::start().await;
    let todo = app.posts(r#"{"title": "initial title"}"#).await;
    assert_eq!(app.patches(&todo, r#"{"title": "bathe the cat"}"#).await.is(200).json()["title"], "bathe the cat");
}

#[rocket::async_test]
async fn a_patch_completes_a_todo() {
    let app = App::start().await;
    let todo = app.posts(r#"{"title": "blah"}"#).await;
    assert_eq!(app.patches(&todo, r#"{"completed": true}"#).await.is(200).json()["completed"], true);
}

#[rocket::async_test]
async fn what_a_patch_changed_stays_changed() {
    let app = App::start().await;
    let todo = app.posts(r#"{"title": "blah"}"#).await;
    let changed = app.patches(&todo, r#"{"title": "changed title", "completed": true}"#).await.json();
    assert_eq!((&changed["title"], &changed["completed"]), (&"changed title".into(), &true.into()));
    assert_eq!(app.get(path(&todo)).await.json(), changed);
    assert_eq!(app.list().await, [changed]);
}

#[rocket::async_test]
async fn a_deleted_todo_is_gone() {
    let app = App::start().await;
    let todo = app.posts(r#"{"title": "blah"}"#).await;
    app.send(Delete, path(&todo), &[], "").await.is(204);
    app.get(path(&todo)).await.is(404);
    assert!(app.list().await.is_empty());
}

// The contract: order

#[rocket::async_test]
async fn a_todo_is_posted_with_an_order() {
    assert_eq!(App::start().await.posts(r#"{"title": "blah", "order": 523}"#).await["order"], 523);
}

#[rocket::async_test]
async fn a_patch_changes_the_order() {
    let app = App::start().await;
    let todo = app.posts(r#"{"title": "blah", "order": 10}"#).await;
    for order in ["95", "-0.5", "999999999999.9999"] {
        let changed = app.patches(&todo, &format!(r#"{{"order": {order}}}"#)).await.is(200).json();
        assert_eq!(changed["order"].to_string(), order);
    }
}

#[rocket::async_test]
async fn a_changed_order_is_remembered() {
    let app = App::start().await;
    let todo = app.posts(r#"{"title": "blah", "order": 10}"#).await;
    app.patches(&todo, r#"{"order": 95}"#).await.is(200);
    assert_eq!(app.get(path(&todo)).await.json()["order"], 95);
}

// Ours: fields

#[rocket::async_test]
async fn a_posted_todo_has_an_absolute_url_as_the_client_called_us_and_the_same_location() {
    let app = App::start().await;
    for (headers, site) in [
        (vec![("Host", "list.example:81")], "http://list.example:81"),
        (vec![("Host", "list.example"), ("X-Forwarded-Proto", "https")], "https://list.example"),
    ] {
        let headers = [&headers[..], &[("Content-Type", "application/json")]].concat();
        let answer = app.send(Post, "/api/todos", &headers, r#"{"title": "blah"}"#).await.is(201);
        let (url, id) = (answer.json()["url"].clone(), answer.json()["id"].clone());
        assert_eq!(url, format!("{site}/api/todos/{}", id.as_str().unwrap()));
        assert_eq!(answer.header("Location"), url.as_str());
    }
}

#[rocket::async_test]
async fn the_list_is_sorted_by_order() {
    let app = App::start().await;
    for (title, order) in [("c", "2.5"), ("a", "-7"), ("d", "1e12"), ("b", "0")] {
        app.posts(&format!(r#"{{"title": "{title}", "order": {order}}}"#)).await;
    }
    let titles: Vec<_> = app.list().await.iter().map(|todo| todo["title"].clone()).collect();
    assert_eq!(titles, ["a", "b", "c", "d"]);
}

#[rocket::async_test]
async fn a_patch_leaves_what_it_does_not_name() {
    let app = App::start().await;
    let todo =
        app.posts(r#"{"title": "t", "description": "d", "due": "2031-02-03", "status": "doing", "order": 4}"#).await;
    for (body, field, value) in [
        ("{}", "title", "t"),
        (r#"{"title": "t2"}"#, "title", "t2"),
        (r#"{"description": "d2"}"#, "description", "d2"),
        (r#"{"due": "2032-01-01"}"#, "due", "2032-01-01"),
        (r#"{"status": "todo"}"#, "status", "todo"),
    ] {
        let mut expected = app.get(path(&todo)).await.json();
        let mut changed = app.patches(&todo, body).await.is(200).json();
        assert_eq!(changed[field], value);
        for value in [&mut expected, &mut changed] {
            value.as_object_mut().unwrap().retain(|name, _| name != field && name != "changed");
        }
        assert_eq!(changed, expected, "{body}");
    }
}

#[rocket::async_test]
async fn a_due_date_of_null_takes_it_away_and_one_left_out_does_not() {
    let app = App::start().await;
    let todo = app.posts(r#"{"title": "t", "due": "2031-02-03"}"#).await;
    assert_eq!(app.patches(&todo, r#"{"title": "t"}"#).await.is(200).json()["due"], "2031-02-03");
    assert!(app.patches(&todo, r#"{"due": null}"#).await.is(200).json()["due"].is_null());
}

#[rocket::async_test]
async fn a_status_counts_where_completed_says_something_else() {
    let app = App::start().await;
    for (body, status) in [
        (r#"{"title": "t", "status": "done", "completed": false}"#, "done"),
        (r#"{"title": "t", "status": "doing", "completed": true}"#, "doing"),
    ] {
        let todo = app.posts(body).await;
        assert_eq!(todo["status"], status);
        assert_eq!(app.patches(&todo, body).await.is(200).json()["status"], status);
    }
}

#[rocket::async_test]
async fn completed_false_reopens_what_is_done_and_leaves_what_is_begun() {
    let app = App::start().await;
    for (before, after) in [("done", "todo"), ("doing", "doing"), ("todo", "todo")] {
        let todo = app.posts(&format!(r#"{{"title": "t", "status": "{before}"}}"#)).await;
        assert_eq!(app.patches(&todo, r#"{"completed": false}"#).await.is(200).json()["status"], after);
    }
}

#[rocket::async_test]
async fn a_patch_with_a_wrong_field_is_refused_and_changes_nothing() {
    let app = App::start().await;
    let todo = app.posts(r#"{"title": "t"}"#).await;
    for body in [
        r#"{"title": null}"#,
        r#"{"title": " "}"#,
        r#"{"title": 5}"#,
        r#"{"title": "a\u0000b"}"#,
        r#"{"title": "a\u202eb"}"#,
        r#"{"description": null}"#,
        r#"{"due": "2027-02-29"}"#,
        r#"{"due": ""}"#,
        r#"{"status": null}"#,
        r#"{"status": "later"}"#,
        r#"{"completed": null}"#,
        r#"{"completed": "yes"}"#,
        r#"{"order": 1e16}"#,
        r#"{"order": 1000000000000.0001}"#,
        r#"{"order": null}"#,
        r#"["title"]"#,
        r#"{"title": "good", "due": "bad"}"#,
    ] {
        assert_eq!(app.patches(&todo, body).await.status, 422, "{body}");
        assert_eq!(app.get(path(&todo)).await.json(), todo, "{body}");
    }
}

#[rocket::async_test]
async fn a_wrong_new_todo_is_refused_and_not_added() {
    let app = App::start().await;
    let long = format!(r#"{{"title": "{}"}}"#, "x".repeat(201));
    let longer = format!(r#"{{"title": "t", "description": "{}"}}"#, "x".repeat(5001));
    for body in [
        "{}",
        r#"{"title": null}"#,
        r#"{"title": ""}"#,
        r#"{"title": "t", "due": "soon"}"#,
        r#"{"title": "t", "due": ""}"#,
        r#"{"title": "t", "order": -1e16}"#,
        "[]",
        "null",
        &long,
        &longer,
    ] {
        assert_eq!(app.json(Post, "/api/todos", body).await.status, 422, "{body}");
    }
    assert!(app.list().await.is_empty());
}

#[rocket::async_test]
async fn a_todo_can_be_posted_with_every_field_and_any_text() {
    let app = App::start().await;
    let body = r#"{"title": " 🦀 \u00c9 ", "description": "a\n\tb", "due": "2028-02-29", "completed": true}"#;
    let todo = app.posts(body).await;
    assert_eq!((&todo["title"], &todo["description"]), (&"🦀 É".into(), &"a\n\tb".into()));
    assert_eq!((&todo["due"], &todo["status"]), (&"2028-02-29".into(), &"done".into()));
}

// Ours: a part of the list

#[rocket::async_test]
async fn limit_and_after_lead_through_all_todos_once() {
    let app = App::start().await;
    for number in 0..25 {
        // Some at the same order, so that the order alone cannot say where a part begins.
        app.posts(&format!(r#"{{"title": "{number}", "order": {}}}"#, number % 4)).await;
    }
    let mut seen = vec![];
    let mut address = "/api/todos?limit=10".to_owned();
    loop {
        let part = app.get(&address).await.is(200).json().as_array().unwrap().clone();
        let Some(last) = part.last() else { break };
        address = format!("/api/todos?limit=10&after={}", last["id"].as_str().unwrap());
        seen.extend(part);
    }
    assert_eq!(seen, app.list().await);
    assert_eq!(seen.len(), 25);
}

#[rocket::async_test]
async fn after_works_from_a_todo_that_was_deleted_meanwhile() {
    let app = App::start().await;
    for order in 1..=3 {
        app.posts(&format!(r#"{{"title": "{order}", "order": {order}}}"#)).await;
    }
    let second = app.list().await[1].clone();
    app.send(Delete, path(&second), &[], "").await.is(204);
    let rest = app.get(&format!("/api/todos?after={}", second["id"].as_str().unwrap())).await.is(200).json();
    assert_eq!(rest[0]["title"], "3");
}

#[rocket::async_test]
async fn a_wrong_limit_or_after_is_refused() {
    let app = App::start().await;
    for query in [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=ten",
        "limit=",
        "limit=99999999999",
        "limit=1&limit=2",
        "after=a&after=b",
        "after=",
        "after=a.b",
    ] {
        let answer = app.get(&format!("/api/todos?{query}")).await;
        assert_eq!(answer.status, 422, "{query}");
    }
    app.get("/api/todos?after=unknown").await.is(404);
}

// Ours: refusals

#[rocket::async_test]
async fn every_refusal_is_a_problem_document() {
    let app = App::start().await;
    let todo = app.posts(r#"{"title": "t"}"#).await;
    let json = [("Content-Type", "application/json")];
    let evil = [("Content-Type", "application/json"), ("Origin", "https://evil.example")];
    let huge = format!(r#"{{"title": "{}"}}"#, "x".repeat(5_000_000));
    let text = [("Content-Type", "text/plain")];
    for (status, method, path, headers, body) in [
        (400, Post, "/api/todos", &json[..], r#"{"title": "#),
        (400, Patch, path(&todo), &json, ""),
        (403, Post, "/api/todos", &evil, r#"{"title": "t"}"#),
        (404, Get, "/api/todos/unknown", &[], ""),
        (404, Get, "/api/todos/not.an.id", &[], ""),
        (404, Patch, "/api/todos/unknown", &json, "{}"),
        (404, Delete, "/api/todos/unknown", &[], ""),
        (404, Get, "/api/nowhere", &[], ""),
        (405, Put, path(&todo), &json, "{}"),
        (413, Post, "/api/todos", &json, &huge),
        (415, Post, "/api/todos", &text, r#"{"title": "t"}"#),
        (422, Post, "/api/todos", &json, r#"{"title": ""}"#),
    ] {
        let answer = app.send(method, path, headers, body).await.is(status);
        assert_eq!(answer.header("Content-Type"), Some("application/problem+json"), "{method} {path}");
        let problem = answer.json();
        assert_eq!((&problem["type"], &problem["status"]), (&"about:blank".into(), &status.into()));
        assert_eq!(problem["request_id"].as_str(), answer.header("X-Request-Id"));
        for text in ["title", "detail"] {
            assert!(problem[text].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
        }
    }
    assert_eq!(app.list().await, [todo]);
}

#[rocket::async_test]
async fn a_body_without_a_content_type_is_refused() {
    App::start().await.send(Post, "/api/todos", &[], r#"{"title": "t"}"#).await.is(415);
}

#[rocket::async_test]
async fn a_method_that_an_address_does_not_take_is_told_which_it_takes() {
    let app = App::start().await;
    for (method, path, allowed) in [
        (Put, "/api/todos", "DELETE, GET, OPTIONS, POST"),
        (Patch, "/api/todos", "DELETE, GET, OPTIONS, POST"),
        (Post, "/api/todos/x", "DELETE, GET, OPTIONS, PATCH"),
        (Post, "/api/openapi.json", "GET, OPTIONS"),
        (Delete, "/", "GET, OPTIONS"),
        (Get, "/items", "OPTIONS, POST"),
        (Get, "/done/clear", "OPTIONS, POST"),
    ] {
        let answer = app.send(method, path, &[], "").await.is(405);
        let mut methods: Vec<_> = answer.header("Allow").expect("Allow").split(", ").collect();
        methods.sort_unstable();
        assert_eq!(methods.join(", "), allowed, "{method} {path}");
    }
}

#[rocket::async_test]
async fn a_server_that_was_sent_far_too_much_goes_on_serving() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let huge = format!(r#"{{"title": "{}"}}"#, "x".repeat(5_000_000));
    let todos = format!("{}/api/todos", server.url);
    let client = client();
    let answer = client.post(&todos).header("Content-Type", "application/json").body(huge).send().await;
    // A client that goes on sending may find the connection closed before it reads the answer.
    if let Ok(answer) = answer {
        assert_eq!(answer.status(), 413);
    }
    let answer = client.get(&todos).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "[]");
}

// Ours: the document

#[rocket::async_test]
async fn the_openapi_document_lists_exactly_the_routes_that_there_are() {
    let app = App::start().await;
    let document = app.get("/api/openapi.json").await.is(200).json();
    let documented: BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(move |m| format!("{m} {path}")))
        .collect();
    let mounted: BTreeSet<_> = app
        .client
        .rocket()
        .routes()
        .filter(|route| route.rank < 100 && route.uri.path().starts_with("/api"))
        .filter(|route| route.uri.path() != "/api/openapi.json")
        .map(|route| {
            let path = route.uri.path().replace('<', "{").replace('>', "}");
            format!("{} {path}", route.method.as_str().to_lowercase())
        })
        .collect();
    assert_eq!(documented, mounted);
}
