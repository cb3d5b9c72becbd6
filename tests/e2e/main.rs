//! The app as a person meets it: in a real Chromium, against the real binary and a folder of its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

mod app;
mod browser;
mod page;

mod accessibility;
mod adding;
mod deleting;
mod editing;
mod finding;
mod following;
mod hostile;
mod keyboard;
mod layout;
mod login;
mod moving;
mod safety;
mod screenshot;
mod without_javascript;
