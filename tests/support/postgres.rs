//! A PostgreSQL server for tests, of Debian's packages.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rocket::tokio;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// A server of its own: started on a free port, stopped with its test.
pub struct Postgres {
    process: Option<Child>,
    folder: TempDir,
    port: u16,
    durable: bool,
}

impl Postgres {
    /// Starts one; its data is gone when it is dropped. Only a `durable` one waits for its disk.
    pub async fn start(durable: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        let mut server = Self { process: None, folder, port: free_port(), durable };
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
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            .args(["-c", if self.durable { "fsync=on" } else { "fsync=off" }])
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
    pub async fn database(&self) -> String {
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
    SERVER.get_or_init(|| Postgres::start(false)).await.database().await
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
