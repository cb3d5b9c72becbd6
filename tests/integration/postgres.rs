//! What is said of PostgreSQL alone: an outage, copies.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rocket::tokio;
use secrecy::SecretString;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use todo_app::store::sql::Sql;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::app::App;
use crate::support::postgres::{Postgres, database};
use crate::support::{Server, client, command};

async fn open(url: &str) -> Sql {
    Sql::open(&SecretString::from(url)).await.unwrap()
}

/// A way to the server that can be blocked: what is sent then gets no answer, as when a cable is pulled.
struct Cable {
    url: String,
    blocked: watch::Sender<bool>,
}

impl Cable {
    async fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = url.parse::<PgConnectOptions>().unwrap().get_port();
        let url = url.replace(&format!(":{server}/"), &format!(":{}/", listener.local_addr().unwrap().port()));
        let (blocked, is_blocked) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                let (near_read, near_write) = near.into_split();
                let (far_read, far_write) = far.into_split();
                tokio::spawn(copy(near_read, far_write, is_blocked.clone()));
                tokio::spawn(copy(far_read, near_write, is_blocked.clone()));
            }
        });
        Self { url, blocked }
    }
}

async fn copy(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut blocked: watch::Receiver<bool>,
) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut buffer = [0; 8192];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if blocked.wait_for(|blocked| !blocked).await.is_err() || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

#[rocket::async_test]
#[ignore = "needs PostgreSQL"]
async fn while_the_database_is_gone_requests_get_503_in_time_and_the_app_recovers_by_itself() {
    let mut server = Postgres::start(false).await;
    let app = App::on(Arc::new(open(&server.database().await).await), |_| ()).await;
    let kept = app.has("Kept", "todo").await;

    server.stop();
    let started = Instant::now();
    let gone = app.get("/").await.is(503);
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert_eq!(gone.header("Retry-After"), Some("5"));
    app.get("/health/ready").await.is(503);
    app.get("/health/live").await.is(200);
    app.post("/items", &[("title", "Lost")]).await.is(503).shows("cannot be reached");

    server.go_on().await;
    app.get("/health/ready").await.is(200);
    assert_eq!(app.item(&kept).await["title"], "Kept");
    app.has("Again", "todo").await;
}

#[rocket::async_test]
#[ignore = "needs PostgreSQL"]
async fn a_database_that_has_gone_silent_is_one_that_does_not_answer() {
    let cable = Cable::to(&database().await).await;
    let app = App::on(Arc::new(open(&cable.url).await), |_| ()).await;
    app.has("Kept", "todo").await;
    cable.blocked.send_replace(true);
    let started = Instant::now();
    // Many at once do not wait for each other.
    let many = (0..40).map(|_| app.get("/"));
    for answer in rocket::futures::future::join_all(many).await {
        answer.is(503);
    }
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    cable.blocked.send_replace(false);
    app.get("/").await.is(200).shows("Kept");
}

#[rocket::async_test]
#[ignore = "needs PostgreSQL"]
async fn more_copies_than_the_server_takes_connections_wait_or_are_told() {
    let url = database().await;
    let mut server = PgConnection::connect(&url).await.unwrap();
    let role = "create role narrow login connection limit 2; grant all on schema public to narrow";
    sqlx::raw_sql(role).execute(&mut server).await.unwrap();
    let app = App::on(Arc::new(open(&url.replace("todo:", "narrow:")).await), |_| ()).await;
    let started = Instant::now();
    let answers = rocket::futures::future::join_all((0..40).map(|_| app.get("/"))).await;
    assert!(answers.iter().all(|answer| [200, 503].contains(&answer.status)));
    assert!(answers.iter().any(|answer| answer.status == 200));
    assert!(started.elapsed() < Duration::from_secs(12), "{:?}", started.elapsed());
    // While both connections are on their way back to the pool, it asks for a third one; and whoever waits for
    // that is told, too, since it does not look again for those that have come back. Later ones are served.
    assert!([200, 503].contains(&app.get("/").await.status));
    app.get("/").await.is(200);
}

#[rocket::async_test]
#[ignore = "needs PostgreSQL"]
async fn copies_that_start_at_once_on_an_empty_database_all_serve_it() {
    let url = database().await;
    let stores = rocket::futures::future::join_all((0..8).map(|_| open(&url))).await;
    let [one, .., other] = &stores[..] else { panic!("eight") };
    use todo_app::store::Store;
    let item = one.add(crate::contract::new_item("Shared")).await.unwrap();
    assert_eq!(other.get(&item.id).await.unwrap(), item);
}

#[rocket::async_test]
#[ignore = "needs PostgreSQL"]
async fn the_binary_takes_the_address_from_a_file_and_never_shows_its_password() {
    let (folder, url) = (tempfile::tempdir().unwrap(), database().await);
    let file = folder.path().join("database_url");
    std::fs::write(&file, format!("{url}\n")).unwrap();
    let mut starts = command(folder.path());
    // It counts more than DATABASE_URL, which an image sets.
    starts.env("DATABASE_URL_FILE", &file).env("RUST_LOG", "debug");
    let server = Server::start_with(starts);
    let answer = client().get(format!("{}/health/ready", server.url)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!server.output().contains("ss%2Fword") && !server.output().contains("ss/word"), "{}", server.output());

    // Nobody listens there.
    let wrong = url.replace(&format!(":{}/", url.parse::<PgConnectOptions>().unwrap().get_port()), ":1/");
    let mut refused = command(folder.path());
    refused.env("DATABASE_URL", &wrong);
    let refused = refused.output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned() + &String::from_utf8_lossy(&refused.stdout);
    assert!(!refused.status.success() && said.contains("PostgreSQL at 127.0.0.1:1 cannot be used"), "{said}");
    assert!(!said.contains("word"), "{said}");
}
