//! The command line: starts the app, asks a running one for its health, or hashes a login.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rocket::{Ignite, Rocket};
use secrecy::ExposeSecret;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::AnyStore;
use crate::config::{Config, ConfigError};
use crate::login::LoginHash;
use crate::store::{sql::Sql, trello::Trello};
use crate::{app, health, log};

const USAGE: &str =
    "Usage: todo-app              serve the list; environment variables configure it (see .env.template)
       todo-app health       exit 0 if the app on this machine is ready
       todo-app hash-login   print the LOGIN_HASH for the NAME:PASSWORD on standard input";

/// Does what the arguments (without the program's name) say; what went wrong is one line on
/// standard error.
pub fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    let arguments: Vec<_> = arguments.collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => start(),
        ["health"] => check_health(),
        ["hash-login"] => hash_login(),
        ["--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        ["--version" | "-V"] => {
            println!("todo-app {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("todo-app: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), String> {
    // Ubuntu's kernels let a debugger look only into its own children, unless a process consents. A
    // kernel that does not know the question lets it anyway.
    #[cfg(all(debug_assertions, target_os = "linux"))]
    let _ = rustix::process::set_ptracer(rustix::process::PTracer::Any);
    let config = Config::from_env().map_err(|e| e.to_string())?;
    // Rocket says that it runs in somebody else's runtime unless its threads have this name.
    runtime("rocket-worker-thread", &config)?.block_on(serve(config))
}

async fn serve(config: Config) -> Result<(), String> {
    let _written_at_the_end = log::start(&config.log_filter, config.log_format);
    let stop = stop_signal().map_err(|e| format!("signals cannot be heeded ({e})"))?;
    #[cfg(target_os = "linux")]
    if std::process::id() == 1 {
        tokio::spawn(reap_orphans());
    }
    let store = open_store(&config).await.map_err(|e| e.to_string())?;
    let rocket = app::rocket(&config, Arc::clone(&store)).ignite().await;
    let served = match rocket {
        Ok(rocket) => launch(rocket, stop, config.stop_delay).await,
        Err(error) => Err(error),
    };
    store.close().await;
    let rocket::Config { address, port, .. } = config.rocket;
    served.map(|_| ()).map_err(|error| match error.kind() {
        rocket::error::ErrorKind::Bind(e) => {
            format!("ROCKET_ADDRESS and ROCKET_PORT are {address} and {port}, but the app cannot listen there ({e})")
        }
        kind => kind.to_string(),
    })
}

/// Serves until `stop`. Rocket heeds signals too, but only some time after it listens, and in a task of
/// its own: a signal at the wrong moment then ends it without waiting for what runs.
async fn launch(
    rocket: Rocket<Ignite>,
    stop: impl Future<Output = ()>,
    delay: Duration,
) -> Result<Rocket<Ignite>, rocket::Error> {
    let stop = async {
        stop.await;
        tracing::info!("stopping");
        health::stopping();
        tokio::time::sleep(delay).await;
    };
    let shutdown = rocket.shutdown();
    let served = rocket.launch();
    tokio::pin!(served);
    tokio::select! {
        biased;
        () = stop => {}
        served = &mut served => return served,
    }
    shutdown.notify();
    served.await
}

/// Waits for the processes whose parent has ended, which the first process of a container is given: without, what
/// a debugger beside it leaves would stay as zombies. The app itself starts none.
#[cfg(target_os = "linux")]
async fn reap_orphans() {
    let Ok(mut ended) = signal(SignalKind::child()) else { return };
    while ended.recv().await.is_some() {
        while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
    }
}

/// SIGTERM or Ctrl-C.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

async fn open_store(config: &Config) -> Result<AnyStore, Box<dyn std::error::Error>> {
    if let Some(access) = &config.trello {
        return Ok(Arc::new(Trello::open(access).await?));
    }
    let store = Sql::open(&config.database_url).await;
    store.map(|store| Arc::new(store) as _).map_err(|e| {
        // Anything else may have a password in it, or be one.
        let url = config.database_url.expose_secret();
        let shown = if url.starts_with("sqlite:") { url } else { "…" };
        ConfigError::new(
            "DATABASE_URL",
            shown,
            format_args!("sqlite:PATH of a file that can be written, or postgres://USER:PASSWORD@HOST/DATABASE: {e}"),
        )
        .into()
    })
}

fn check_health() -> Result<(), String> {
    let config = Config::from_env().map_err(|e| e.to_string())?;
    let rocket::Config { address, port, .. } = config.rocket;
    runtime("health", &config)?.block_on(health::check(address, port))
}

fn hash_login() -> Result<(), String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|e| format!("standard input cannot be read ({e})"))?;
    println!("{}", LoginHash::of(line.trim_end_matches(['\n', '\r']))?);
    Ok(())
}

fn runtime(name: &str, config: &Config) -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name(name)
        .worker_threads(config.rocket.workers)
        .max_blocking_threads(config.rocket.max_blocking)
        .enable_all()
        .build()
        .map_err(|e| format!("no runtime: {e}"))
}
