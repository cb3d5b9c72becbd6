//! How many pages and how many new items a second each store takes, eight people at a time: prints a
//! table (`cargo bench --bench stores`). PostgreSQL is Debian's, beside it on this machine, and waits for its disk as SQLite does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use todo_app::app::AnyStore;
use todo_app::item::{Description, NewItem, Status, Title};
use todo_app::store::{BoardQuery, sql::Sql};

#[path = "../tests/support/mod.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "made for tests")]
mod support;

const FOR: Duration = Duration::from_secs(3);

/// How often a second eight people at once get `act` done.
async fn per_second<F: Future<Output = ()> + Send + 'static>(store: &AnyStore, act: fn(AnyStore) -> F) -> u32 {
    let (done, until) = (Arc::new(AtomicU32::new(0)), Instant::now() + FOR);
    let people = (0..8).map(|_| {
        let (store, done) = (Arc::clone(store), Arc::clone(&done));
        tokio::spawn(async move {
            while Instant::now() < until {
                act(Arc::clone(&store)).await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    for person in people.collect::<Vec<_>>() {
        person.await.expect("no panic");
    }
    done.load(Ordering::Relaxed) / FOR.as_secs() as u32
}

async fn read(store: AnyStore) {
    store.board(&BoardQuery { limit: 30, ..BoardQuery::default() }).await.expect("a board");
}

async fn write(store: AnyStore) {
    let new = NewItem {
        title: Title::parse("Buy milk").expect("a title"),
        description: Description::default(),
        due: None,
        status: Status::Todo,
        position: None,
    };
    store.add(new).await.expect("an item");
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = format!("sqlite:{}", folder.path().join("todo.db").display());
    let server = support::postgres::Postgres::start(true).await;
    println!("| store | pages read/s | items added/s |");
    println!("|---|---|---|");
    for (name, url) in [("SQLite", sqlite), ("PostgreSQL", server.database().await)] {
        let store: AnyStore = Arc::new(Sql::open(&url.into()).await.expect("a store"));
        for _ in 0..30 {
            write(Arc::clone(&store)).await;
        }
        let (reads, writes) = (per_second(&store, read).await, per_second(&store, write).await);
        println!("| {name} | {reads} | {writes} |");
        store.close().await;
    }
}
