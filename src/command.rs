//! The command line: starts the app, or asks a running one for its health.

use std::process::ExitCode;
use std::sync::Arc;

use crate::config::{Config, ConfigError};
use crate::store::{Store, sqlite::Sqlite};
use crate::{app, health, log};

const USAGE: &str = "Usage: todo-app          serve the list; environment variables configure it (see .env.template)
       todo-app health   exit 0 if the app on this machine is ready";

/// Does what the arguments (without the program's name) say; what went wrong is one line on
/// standard error.
pub fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    // So that reqwest needs no provider of its own; it fails only if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<_> = arguments.collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => start(),
        ["health"] => check_health(),
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
    let config = Config::from_env().map_err(|e| e.to_string())?;
    // Rocket says that it runs in somebody else's runtime unless its threads have this name.
    runtime("rocket-worker-thread", &config)?.block_on(serve(config))
}

async fn serve(config: Config) -> Result<(), String> {
    log::start(&config.log_filter, config.log_format);
    let store = open_store(&config.database_url).await.map_err(|e| e.to_string())?;
    let served = app::rocket(&config, Arc::clone(&store)).launch().await;
    store.close().await;
    let rocket::Config { address, port, .. } = config.rocket;
    served.map(|_| ()).map_err(|error| match error.kind() {
        rocket::error::ErrorKind::Bind(e) => {
            format!("ROCKET_ADDRESS and ROCKET_PORT are {address} and {port}, but the app cannot listen there ({e})")
        }
        kind => kind.to_string(),
    })
}

async fn open_store(url: &str) -> Result<Arc<dyn Store>, ConfigError> {
    if !url.starts_with("sqlite:") {
        // The rest may have a password in it.
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        return Err(ConfigError::new("DATABASE_URL", format_args!("{scheme}:…"), "sqlite:PATH"));
    }
    let store = Sqlite::open(url).await;
    store.map(|store| Arc::new(store) as _).map_err(|e| {
        ConfigError::new("DATABASE_URL", url, format_args!("sqlite:PATH of a file that can be written: {e}"))
    })
}

fn check_health() -> Result<(), String> {
    let config = Config::from_env().map_err(|e| e.to_string())?;
    let rocket::Config { address, port, .. } = config.rocket;
    runtime("health", &config)?.block_on(health::check(address, port))
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
