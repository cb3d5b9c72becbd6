//! What the environment says; nothing else configures the app.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rocket::figment::{Figment, Profile, providers::Env};
use rocket::http::uri::Absolute;
use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::EnvFilter;

use crate::log;
use crate::login::LoginHash;
use crate::security::CorsOrigins;
use crate::store::trello;

/// Where items are kept unless `DATABASE_URL` says otherwise.
pub const DEFAULT_DATABASE_URL: &str = "sqlite:data/todo.db";

/// The largest body of a form or of JSON: a title and a description of the longest kind, each
/// character written in the longest way, fit.
const BODY_MAX: &str = "128KiB";

/// What the app needs to know to start.
#[derive(Debug)]
pub struct Config {
    /// Rocket's own part: address, port, profile, limits.
    pub rocket: rocket::Config,
    /// Which database, and where it is (`DATABASE_URL`, or the file that `DATABASE_URL_FILE` names).
    pub database_url: SecretString,
    /// The Trello board that is used instead, if `TRELLO_BOARD_ID` names one.
    pub trello: Option<trello::Access>,
    /// How long after the signal to stop requests are still taken, while [`crate::health`] says that the
    /// app is not ready: so long a proxy may take to notice (`STOP_DELAY`, in seconds).
    pub stop_delay: Duration,
    /// The folder that has `templates/` and `static/` (`ASSETS_DIR`).
    pub assets: PathBuf,
    /// The login that the list asks for, if any (`LOGIN_HASH`, or the file that `LOGIN_HASH_FILE` names).
    pub login: Option<LoginHash>,
    /// The other sites whose pages may use the API (`CORS_ORIGINS`).
    pub cors_origins: CorsOrigins,
    /// Which lines are logged (`RUST_LOG`).
    pub log_filter: String,
    /// How they look (`LOG_FORMAT`).
    pub log_format: log::Format,
}

/// A variable with a wrong value, said in one line.
#[derive(Debug, thiserror::Error)]
#[error("{variable} is {got}, but takes {takes}")]
pub struct ConfigError {
    variable: String,
    got: String,
    takes: String,
}

impl ConfigError {
    /// `got` is shown: never pass a secret.
    pub fn new(variable: &str, got: impl fmt::Debug, takes: impl fmt::Display) -> Self {
        Self { variable: variable.to_owned(), got: format!("{got:?}"), takes: takes.to_string() }
    }
}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// The first variable with a wrong value.
    pub fn from_env() -> Result<Self, ConfigError> {
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ROCKET_")) {
            var(&name.to_string_lossy())?;
        }
        Ok(Self {
            rocket: rocket()?,
            database_url: secret("DATABASE_URL")?.unwrap_or_else(|| DEFAULT_DATABASE_URL.into()),
            trello: trello()?,
            stop_delay: parsed("STOP_DELAY", "a number of seconds from 0 to 60", |text| {
                text.parse().ok().filter(|seconds| *seconds <= 60).map(Duration::from_secs)
            })?
            .unwrap_or_default(),
            assets: assets()?,
            login: login()?,
            cors_origins: cors_origins()?,
            log_filter: parsed("RUST_LOG", "filters such as info,todo_app=debug", |text| {
                // What is said later counts more, but nothing short of its name turns on what is off.
                EnvFilter::try_new(text).is_ok().then(|| format!("{},{text}", log::DEFAULT_FILTER))
            })?
            .unwrap_or_else(|| log::DEFAULT_FILTER.to_owned()),
            log_format: parsed("LOG_FORMAT", "text or json", |text| text.parse().ok())?.unwrap_or(log::Format::Text),
        })
        .and_then(|config| time_zone().map(|()| config))
    }

    /// What Rocket is built from.
    pub fn figment(&self) -> Figment {
        Figment::from(&self.rocket).merge(("template_dir", self.assets.join("templates")))
    }
}

/// Whether pages may show internals: in Rocket's `debug` profile.
pub fn is_development(config: &rocket::Config) -> bool {
    config.profile == rocket::Config::DEBUG_PROFILE
}

/// Rocket's part: its defaults and its `ROCKET_` variables, but no Rocket.toml.
fn rocket() -> Result<rocket::Config, ConfigError> {
    let profile = Profile::from_env_or("ROCKET_PROFILE", rocket::Config::DEFAULT_PROFILE);
    let figment = Figment::from(rocket::Config::default())
        .merge(("limits.form", BODY_MAX))
        .merge(("limits.data-form", BODY_MAX))
        .merge(("limits.json", BODY_MAX))
        .merge(("ident", "todo-app"))
        .merge(Env::prefixed("ROCKET_").ignore(&["PROFILE"]).global())
        .select(profile);
    let config = rocket::Config::try_from(figment).map(|mut config| {
        // We heed signals ourselves.
        (config.shutdown.ctrlc, config.shutdown.signals) = (false, Default::default());
        config
    });
    config.map_err(|error| {
        let variable = format!("ROCKET_{}", error.path.join("_").to_uppercase());
        let got = env::var(&variable).unwrap_or_default();
        match variable.as_str() {
            "ROCKET_PORT" => ConfigError::new(&variable, got, "a port number from 0 to 65535"),
            "ROCKET_ADDRESS" => ConfigError::new(&variable, got, "an IP address such as 127.0.0.1 or 0.0.0.0"),
            _ => ConfigError::new(&variable, got, format_args!("something else ({})", error.kind)),
        }
    })
}

/// The folder of templates and static files: the one that is named, the one beside the binary
/// (as in the image), or the current one (as with `cargo run`).
fn assets() -> Result<PathBuf, ConfigError> {
    let is_assets = |folder: &Path| folder.join("templates").is_dir() && folder.join("static").is_dir();
    let takes = "a folder that has templates/ and static/";
    if let Some(folder) = var("ASSETS_DIR")? {
        let path = PathBuf::from(&folder);
        return if is_assets(&path) { Ok(path) } else { Err(ConfigError::new("ASSETS_DIR", folder, takes)) };
    }
    let beside = env::current_exe().ok().and_then(|binary| Some(binary.parent()?.to_owned()));
    let candidates = beside.into_iter().chain(env::current_dir());
    candidates.into_iter().find(|folder| is_assets(folder)).ok_or_else(|| ConfigError {
        variable: "ASSETS_DIR".to_owned(),
        got: "not set".to_owned(),
        takes: format!("{takes}; there is none beside the binary or here"),
    })
}

fn login() -> Result<Option<LoginHash>, ConfigError> {
    let parse = |text: SecretString| text.expose_secret().parse();
    secret("LOGIN_HASH")?.map(parse).transpose().map_err(|()| {
        // It may be a password, by mistake.
        ConfigError::new("LOGIN_HASH", "…", "what `echo NAME:PASSWORD | todo-app hash-login` prints")
    })
}

fn cors_origins() -> Result<CorsOrigins, ConfigError> {
    let list = var("CORS_ORIGINS")?.unwrap_or_default();
    let origins = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    origins
        .map(|origin| {
            let is_origin = Absolute::parse(origin)
                .is_ok_and(|uri| uri.authority().is_some() && uri.path().is_empty() && uri.query().is_none());
            let takes = "origins such as https://example.org, separated by commas";
            if is_origin { Ok(origin.to_owned()) } else { Err(ConfigError::new("CORS_ORIGINS", origin, takes)) }
        })
        .collect::<Result<_, _>>()
        .map(CorsOrigins)
}

/// The time zone decides when today begins, so a wrong one must not pass for UTC.
fn time_zone() -> Result<(), ConfigError> {
    let Some(name) = var("TZ")? else { return Ok(()) };
    jiff::tz::TimeZone::try_system()
        .map(|_| ())
        .map_err(|_| ConfigError::new("TZ", name, "the name of a time zone such as Europe/London"))
}

/// The board and how to get at it, if there is one.
fn trello() -> Result<Option<trello::Access>, ConfigError> {
    let Some(board) = var("TRELLO_BOARD_ID")? else { return Ok(None) };
    let credential = |variable: &str| {
        let takes = "what https://trello.com/power-ups/admin shows, since TRELLO_BOARD_ID is set";
        secret(variable)?.ok_or_else(|| ConfigError {
            variable: variable.to_owned(),
            got: "not set".to_owned(),
            takes: takes.to_owned(),
        })
    };
    let lists = parsed("TRELLO_LISTS", "three names separated by commas, such as To Do,Doing,Done", |names| {
        let names: Vec<_> = names.split(',').map(|name| name.trim().to_owned()).collect();
        <[String; 3]>::try_from(names).ok().filter(|names| names.iter().all(|name| !name.is_empty()))
    })?;
    Ok(Some(trello::Access {
        key: credential("TRELLO_API_KEY")?,
        token: credential("TRELLO_API_TOKEN")?,
        board,
        lists: lists.unwrap_or_else(|| trello::DEFAULT_LISTS.map(str::to_owned)),
        url: var("TRELLO_URL")?.unwrap_or_else(|| trello::DEFAULT_URL.to_owned()),
    }))
}

/// What the file has that `VARIABLE_FILE` names, as Docker hands over secrets, or else the variable's
/// own value, which an image may have set.
fn secret(variable: &str) -> Result<Option<SecretString>, ConfigError> {
    let file_variable = format!("{variable}_FILE");
    let Some(path) = var(&file_variable)? else { return Ok(var(variable)?.map(Into::into)) };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim_end().into())),
        Err(e) => Err(ConfigError::new(&file_variable, path, format_args!("a file that can be read ({e})"))),
    }
}

/// A variable's value, read by `parse`.
fn parsed<T>(variable: &str, takes: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, ConfigError> {
    let Some(value) = var(variable)? else { return Ok(None) };
    parse(&value).map(Some).ok_or_else(|| ConfigError::new(variable, value, takes))
}

/// A variable's value; an empty one counts as not set, as Compose passes it for `VAR=`.
fn var(variable: &str) -> Result<Option<String>, ConfigError> {
    let error = |got: &str, takes: &str| {
        Err(ConfigError { variable: variable.to_owned(), got: got.to_owned(), takes: takes.to_owned() })
    };
    match env::var(variable) {
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => error("not UTF-8", "UTF-8 text"),
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) if is_quoted(&value) => {
            error("wrapped in quotes", "the bare value: `docker run --env-file` keeps quotes as part of it")
        }
        Ok(value) => Ok(Some(value)),
    }
}

fn is_quoted(value: &str) -> bool {
    value.len() > 1 && ['"', '\''].iter().any(|quote| value.starts_with(*quote) && value.ends_with(*quote))
}
