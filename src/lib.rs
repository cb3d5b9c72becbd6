//! A to-do list in a browser.
//!
//! A request goes from a route ([`pages`], [`api`]) to the [`store`] and back through a template
//! or JSON; what goes wrong becomes an answer in [`error`]. [`app`] puts these together as
//! [`config`] says.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub mod api;
pub mod app;
pub mod coalesce;
pub mod command;
pub mod config;
pub mod development;
pub mod error;
pub mod health;
pub mod item;
pub mod log;
pub mod login;
pub mod pages;
pub mod security;
pub mod store;

/// Where every HTTP client of ours begins.
fn http_client() -> reqwest::ClientBuilder {
    // Reqwest is built without a provider of cryptography; it fails only if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}

/// Locks what stays usable even if somebody panicked while holding it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
