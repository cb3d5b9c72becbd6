//! Whether the app lives, and whether it can serve: for orchestrators, and for images without
//! a shell by the `health` subcommand.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rocket::http::Status as Http;
use rocket::{Route, State, get, routes};

use crate::app::AnyStore;
use crate::error::Failure;
use crate::http_client;

/// Where the routes are mounted.
pub const BASE: &str = "/health";

/// The process answers.
#[get("/live")]
fn live() -> &'static str {
    "live\n"
}

static STOPPING: AtomicBool = AtomicBool::new(false);

/// From now on the app is not ready, since it stops soon.
pub fn stopping() {
    STOPPING.store(true, Ordering::Relaxed);
}

/// The store answers too, and the app is not about to stop: requests can be sent here.
#[get("/ready")]
async fn ready(store: &State<AnyStore>) -> Result<&'static str, Failure> {
    if STOPPING.load(Ordering::Relaxed) {
        return Err(Failure::new(Http::ServiceUnavailable, "The app is about to stop."));
    }
    store.ready().await?;
    Ok("ready\n")
}

/// The routes to mount at [`BASE`].
pub fn routes() -> Vec<Route> {
    routes![live, ready]
}

/// Asks the app that listens at this address and port on this machine whether it is ready.
///
/// # Errors
/// A sentence on what it answered instead.
pub async fn check(address: IpAddr, port: u16) -> Result<(), String> {
    // Nobody can be called at "any address".
    let address = match address {
        IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        one => one,
    };
    let url = format!("http://{}{BASE}/ready", SocketAddr::new(address, port));
    let client = http_client().timeout(Duration::from_secs(2)).build().map_err(|e| format!("no HTTP client: {e}"))?;
    match client.get(&url).send().await.and_then(reqwest::Response::error_for_status) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{url} is not ready: {}", error.without_url())),
    }
}
