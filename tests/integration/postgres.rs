//! A PostgreSQL server for the tests, and what is said of PostgreSQL alone: an outage, copies.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rocket::tokio;
use secrecy::SecretString;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tempfile::TempDir;
use todo_app::store::sql::Sql;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OnceCell, watch};

use crate::app::App;
use crate::support::{Server, client, command};

/// A server of its own: started on a free port, stopped with its test.
pub struct Postgres {
    process: Option<Child>,
    folder: TempDir,
    port: u16,
}

impl Postgres {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        let mut server = Self { process: None, folder, port: free_port() };
        let mut initdb = as_postgres("initdb");
        initdb.args(["--username=todo", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]);
        assert!(initdb.arg("--pgdata").arg(server.data()).stdout(Stdio::null()).status().unwrap().success());
        server.go_on().await;
        server
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts it, also again, on its data and its port, and waits until it answers.
    pub async fn go_on(&mut self) {
        let mut server = as_postgres("postgres");
        server
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"])
            .args(["-p", &self.port.to_string(), "-D"])
            .arg(self.data())
            .stderr(Stdio::null());
        // It ends with the thread that has spawned it, and a test's own thread ends early.
        let (sender, spawned) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let _ = sender.send(server.spawn());
            loop {
                std::thread::park();
            }
        });
        self.process = Some(spawned.recv().unwrap().expect("postgres"));
        let started = Instant::now();
        while PgConnection::connect(&self.url("postgres")).await.is_err() {
            assert!(started.elapsed() < Duration::from_secs(30), "PostgreSQL did not start");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Stops it, with its connections cut, as on a failure.
    pub fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let id = process.id().to_string();
        let _ = Command::new("kill").args(["-s", "QUIT", &id]).status();
        let _ = process.wait();
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://todo:p%40ss%2Fword@127.0.0.1:{}/{database}", self.port)
    }

    /// An empty database.
    async fn database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("list_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut server = PgConnection::connect(&self.url("postgres")).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(&mut server).await.unwrap();
        self.url(&name)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// An empty database on a server that many tests share.
pub async fn database() -> String {
    static SERVER: OnceCell<Postgres> = OnceCell::const_new();
    SERVER.get_or_init(Postgres::start).await.database().await
}

/// A program of the newest PostgreSQL that Debian has installed; it ends with this process. PostgreSQL
/// refuses to run as root, so it gets the user that Debian made for it then.
fn as_postgres(program: &str) -> Command {
    let versions = Path::new("/usr/lib/postgresql").read_dir().expect("PostgreSQL: apt install postgresql");
    let newest = versions.flatten().map(|version| version.path()).max().expect("a version");
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=QUIT");
    if Path::new("/proc/self").metadata().unwrap().uid() == 0 {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.arg(newest.join("bin").join(program));
    command
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

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
    let mut server = Postgres::start().await;
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
    starts.env_remove("DATABASE_URL").env("DATABASE_URL_FILE", &file).env("RUST_LOG", "debug");
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
