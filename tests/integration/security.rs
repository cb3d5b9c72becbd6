//! What other sites cannot do, and what nobody can.

use rocket::http::Method::{self, Delete, Get, Options, Patch, Post, Put};
use todo_app::security::CorsOrigins;

use crate::app::{App, FORM};

const FRIEND: &str = "https://friend.example";

/// Every request that changes something, with ids that do not exist.
fn changing_requests(app: &App) -> Vec<(Method, String)> {
    let path = |path: &str| {
        let segments = path.split('/').map(|segment| if segment.starts_with('<') { "some-id" } else { segment });
        segments.collect::<Vec<_>>().join("/")
    };
    let routes = app.client.rocket().routes();
    // From 100 on are the routes that answer 405.
    let changing = routes.filter(|route| route.rank < 100 && matches!(route.method, Post | Put | Patch | Delete));
    changing.map(|route| (route.method, path(route.uri.path()))).collect()
}

#[rocket::async_test]
async fn no_request_of_another_site_changes_anything() {
    let app = App::start().await;
    let requests = changing_requests(&app);
    assert!(requests.len() >= 11, "{requests:?}");
    for headers in [
        &[("Sec-Fetch-Site", "cross-site")][..],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Site", "cross-site"), ("Origin", "http://list.example")],
        &[("Origin", "https://evil.example")],
        &[("Origin", "https://list.example.evil.example")],
        &[("Origin", "http://list.example:81")],
        &[("Origin", "null")],
        &[("Origin", "")],
    ] {
        let headers = [headers, &[("Host", "list.example")]].concat();
        for (method, path) in &requests {
            let answer = app.send(*method, path, &headers, "").await;
            assert_eq!(answer.status, 403, "{method} {path} with {headers:?}");
        }
    }
}

#[rocket::async_test]
async fn an_origin_of_null_is_nobodys_even_where_no_host_is_named() {
    let app = App::start().await;
    for (method, path) in changing_requests(&app) {
        let answer = app.send(method, &path, &[("Origin", "null")], "").await;
        assert_eq!(answer.status, 403, "{method} {path}");
    }
}

#[rocket::async_test]
async fn our_own_pages_and_programs_without_a_browser_may_change_the_list() {
    let app = App::start().await;
    for headers in [
        &[("Sec-Fetch-Site", "same-origin"), ("Origin", "http://list.example")][..],
        &[("Sec-Fetch-Site", "none")],
        &[("Origin", "http://list.example")],
        &[("Origin", "https://list.example")],
        &[],
    ] {
        let headers = [headers, &[("Host", "list.example"), FORM]].concat();
        app.send(Post, "/items", &headers, "title=Ours").await.is(303);
    }
    for (method, path) in changing_requests(&app) {
        let answer = app.send(method, &path, &[("Sec-Fetch-Site", "same-origin")], "").await;
        assert_ne!(answer.status, 403, "{method} {path}");
    }
}

#[rocket::async_test]
async fn another_site_cannot_pass_off_a_form_as_a_deletion() {
    let app = App::start().await;
    let id = app.has("Precious", "todo").await;
    for path in ["/api/todos".to_owned(), format!("/api/todos/{id}")] {
        for origin in [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example"), ("Origin", "null")] {
            let headers = [FORM, ("Host", "list.example"), origin];
            app.send(Post, &path, &headers, "_method=DELETE").await.is(403);
        }
    }
    assert_eq!(app.get("/").await.titles("todo"), ["Precious"]);
}

#[rocket::async_test]
async fn another_site_is_told_so_on_a_page() {
    let app = App::start().await;
    let page = app.send(Post, "/items", &[FORM, ("Sec-Fetch-Site", "cross-site")], "title=Theirs").await.is(403);
    page.shows("Only this site's own pages may change the list.");
    assert_eq!(app.get("/api/todos").await.body, "[]");
}

// Other sites that may

#[rocket::async_test]
async fn no_other_site_may_read_the_api_unless_it_is_named() {
    let app = App::start().await;
    for (method, path) in [(Get, "/api/todos"), (Options, "/api/todos"), (Get, "/")] {
        let headers = [("Origin", FRIEND), ("Access-Control-Request-Method", "DELETE")];
        let answer = app.send(method, path, &headers, "").await;
        let granted = answer.headers.iter().find(|(name, _)| name.to_lowercase().starts_with("access-control"));
        assert_eq!(granted, None, "{method} {path}");
    }
}

#[rocket::async_test]
async fn a_named_site_may_use_the_api_and_no_other_may() {
    let app = App::start_with(|config| config.cors_origins = CorsOrigins(vec![FRIEND.to_owned()])).await;
    let json = ("Content-Type", "application/json");
    for (origin, allowed, status) in [(FRIEND, Some(FRIEND), 201), ("https://evil.example", None, 403)] {
        let cross = [("Origin", origin), ("Sec-Fetch-Site", "cross-site"), json];
        for answer in [
            app.send(Post, "/api/todos", &cross, r#"{"title": "t"}"#).await.is(status),
            app.send(Get, "/api/todos", &cross, "").await.is(200),
            app.send(Get, "/api/todos/unknown", &cross, "").await.is(404),
        ] {
            assert_eq!(answer.header("Access-Control-Allow-Origin"), allowed);
            assert_eq!(answer.header("Vary"), Some("Origin"), "a cache must not give one site the other's answer");
        }
    }
}

#[rocket::async_test]
async fn a_named_sites_browser_is_told_beforehand_what_it_may_send() {
    let app = App::start_with(|config| config.cors_origins = CorsOrigins(vec![FRIEND.to_owned()])).await;
    let id = app.has("Item", "todo").await;
    for path in ["/api/todos", &format!("/api/todos/{id}")] {
        let headers = [("Origin", FRIEND), ("Access-Control-Request-Method", "PATCH")];
        let answer = app.send(Options, path, &headers, "").await.is(204);
        assert_eq!(answer.header("Access-Control-Allow-Origin"), Some(FRIEND));
        assert!(answer.header("Access-Control-Allow-Methods").unwrap().contains("PATCH"));
        assert!(answer.header("Access-Control-Allow-Headers").unwrap().contains("Content-Type"));
        assert_eq!(answer.header("Access-Control-Allow-Credentials"), None);
    }
}

#[rocket::async_test]
async fn a_named_site_may_use_the_api_but_never_the_pages() {
    let app = App::start_with(|config| config.cors_origins = CorsOrigins(vec![FRIEND.to_owned()])).await;
    let cross = [("Origin", FRIEND), ("Sec-Fetch-Site", "cross-site"), FORM];
    app.send(Post, "/items", &cross, "title=Theirs").await.is(403);
    for path in ["/", "/apis", "/static/app.css", "/health/live"] {
        let answer = app.send(Get, path, &cross, "").await;
        assert_eq!(answer.header("Access-Control-Allow-Origin"), None, "{path}");
    }
}

// Headers

#[rocket::async_test]
async fn every_answer_has_the_security_headers_and_a_request_id() {
    let app = App::start().await;
    let id = app.has("Item", "todo").await;
    let item = format!("/items/{id}");
    for path in
        ["/", &item, "/nowhere", "/items/unknown", "/api/todos", "/api/nowhere", "/static/app.css", "/health/live"]
    {
        let answer = app.get(path).await;
        let csp = answer.header("Content-Security-Policy").expect(path);
        for rule in ["default-src 'none'", "script-src 'self'", "form-action 'self'", "frame-ancestors 'none'"] {
            assert!(csp.contains(rule), "{path}: {csp}");
        }
        assert!(!csp.contains("unsafe"), "{csp}");
        assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("X-Frame-Options"), Some("DENY"), "{path}");
        assert_eq!(answer.header("Referrer-Policy"), Some("same-origin"), "{path}");
        assert!(answer.header("X-Request-Id").is_some(), "{path}");
    }
    app.post(&item, &[("title", "")]).await.is(422).header("Content-Security-Policy").expect("on refusals too");
}

#[rocket::async_test]
async fn pages_need_nothing_that_their_policy_forbids() {
    let app = App::start().await;
    app.has("Item", "todo").await;
    let page = app.get("/").await;
    for forbidden in ["<style", " style=", " onclick=", "javascript:", "src=\"http", "<script>"] {
        assert!(!page.body.contains(forbidden), "{forbidden}");
    }
}

// Files

#[rocket::async_test]
async fn static_files_are_served_with_their_types() {
    let app = App::start().await;
    for (file, kind) in [("app.css", "text/css"), ("app.js", "text/javascript"), ("favicon.svg", "image/svg+xml")] {
        let answer = app.get(&format!("/static/{file}")).await.is(200);
        assert!(answer.header("Content-Type").unwrap().starts_with(kind), "{answer:?}");
        assert!(!answer.body.is_empty());
    }
}

#[rocket::async_test]
async fn nothing_but_static_files_is_served() {
    let app = App::start().await;
    for path in [
        "/static/",
        "/static/../Cargo.toml",
        "/static/..%2fCargo.toml",
        "/static/..%2Ftemplates%2Flist.html.j2",
        "/static/%2e%2e/Cargo.toml",
        "/static/%2e%2e%2fCargo.toml",
        "/static/..%5cCargo.toml",
        "/static/list.html.j2",
        "/static/templates/list.html.j2",
        "/templates/list.html.j2",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/Cargo.toml",
        "/data/todo.db",
    ] {
        app.get(path).await.is(404).hides("[package]").hides("{%").hides("root:");
    }
}

#[rocket::async_test]
async fn on_a_loopback_address_no_other_name_leads_to_the_list() {
    let app = App::start_with(|config| config.rocket.address = std::net::Ipv4Addr::LOCALHOST.into()).await;
    for host in
        ["evil.example:8000", "localhost.evil.example", "192.168.0.7", "[fe80::1]:8000", "127.0.0.1.evil.example"]
    {
        for path in ["/", "/api/todos", "/static/app.css"] {
            app.send(Get, path, &[("Host", host)], "")
                .await
                .is(421)
                .shows("This list is at localhost or 127.0.0.1 only.");
        }
        let ours = [("Host", host), ("Sec-Fetch-Site", "same-origin"), FORM];
        app.send(Post, "/items", &ours, "title=Theirs").await.is(421);
    }
    for host in ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "todo.localhost", "LOCALHOST"] {
        app.send(Get, "/", &[("Host", host)], "").await.is(200).hides("Theirs");
    }
    // A proxy on this machine may call it by a public name if there is a login, which no such page has.
    let guarded = App::start_with(|config| {
        config.rocket.address = std::net::Ipv4Addr::LOCALHOST.into();
        config.login = Some(todo_app::login::LoginHash::of("ada:horse").unwrap());
    });
    guarded.await.send(Get, "/", &[("Host", "list.example")], "").await.is(401);
}
