//! The app through its own doors: most tests in one process on an SQLite file of their own, some
//! with the binary itself.
#![allow(clippy::unwrap_used)]

mod api;
mod app;
mod contract;
mod facts;
mod faults;
mod hostile;
mod login;
mod pages;
mod postgres;
mod process;
mod scale;
mod security;
#[path = "../support/mod.rs"]
mod support;
mod trello;
