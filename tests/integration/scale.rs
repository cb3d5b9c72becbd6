//! A list far longer than anybody's.

use std::collections::HashSet;
use std::sync::Arc;

use rocket::serde::json::Value;
use sqlx::{Connection, PgConnection};
use todo_app::store::sql::Sql;

use crate::app::App;
use crate::support::postgres::database;

const MANY: usize = 100_000;

/// Makes $1 items, in SQLite and PostgreSQL.
const FILL: &str = "with recursive number(n) as (select 1 union all select n + 1 from number where n < $1)
    insert into items (id, title, title_lower, description, description_lower, status, position,
                       created_at, changed_at, done_at)
    select 'item-' || n, 'Item ' || n, 'item ' || n, '', '',
           case n % 3 when 0 then 'todo' when 1 then 'doing' else 'done' end, n, n, n,
           case n % 3 when 2 then n end from number";

#[rocket::async_test]
async fn a_list_of_100000_items_is_shown_in_parts_and_streamed_whole() {
    let app = App::start().await;
    let mut file = app.file().await;
    sqlx::query("begin").execute(&mut file).await.unwrap();
    sqlx::query(FILL).bind(MANY as i64).execute(&mut file).await.unwrap();
    sqlx::query("commit").execute(&mut file).await.unwrap();
    is_shown_in_parts_and_streamed_whole(&app).await;
}

#[rocket::async_test]
#[ignore = "needs PostgreSQL"]
async fn so_is_one_in_postgresql() {
    let url = database().await;
    let store = Sql::open(&url.as_str().into()).await.unwrap();
    let mut server = PgConnection::connect(&url).await.unwrap();
    sqlx::query(FILL).bind(MANY as i32).execute(&mut server).await.unwrap();
    is_shown_in_parts_and_streamed_whole(&App::on(Arc::new(store), |_| ()).await).await;
}

async fn is_shown_in_parts_and_streamed_whole(app: &App) {
    for path in ["/", "/?older=true", "/?q=item%209", "/?status=doing"] {
        let page = app.get(path).await.is(200);
        let shown = page.body.matches("<li id=\"item-").count();
        assert!((30..=90).contains(&shown), "{path} shows {shown}");
        let more = page.link("Show more").expect("a link");
        assert!(app.get(&more).await.is(200).body.matches("<li id=\"item-").count() == 30);
    }
    app.get("/").await.shows("<span class=\"count\">999+</span>");

    let part: Value = app.get("/api/todos?limit=1000&after=item-500").await.is(200).json();
    assert_eq!((part.as_array().unwrap().len(), &part[0]["title"]), (1000, &"Item 501".into()));

    let all = app.get("/api/todos").await.is(200);
    assert!(all.body.starts_with('[') && all.body.ends_with("}]"));
    let ids: HashSet<_> = all.body.split("\"id\":\"").skip(1).filter_map(|todo| todo.split('"').next()).collect();
    assert_eq!((ids.len(), all.body.matches("\"url\"").count()), (MANY, MANY));
}
