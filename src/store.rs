//! Where items are kept: one trait, so that pages and the API do not know which store it is.

use std::fmt;

use jiff::Timestamp;
use rocket::async_trait;
use serde::Serialize;

use crate::item::{Changes, DeletionId, Item, ItemId, NewItem, Status, Version};

pub mod sql;
pub mod trello;

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such item, or it was deleted.
    #[error("no such item")]
    NotFound,
    /// Somebody else changed the item since the version that was given.
    #[error("the item was changed meanwhile")]
    Conflict,
    /// The store did not answer, or could not keep what it was given.
    #[error("the store did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a store answers.
pub type Result<T> = std::result::Result<T, Error>;

/// Keeps items. Every function is one act: done as a whole, or not at all; what was answered
/// with `Ok` outlives a crash.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// The sections that a page shows.
    async fn board(&self, query: &BoardQuery) -> Result<Board>;

    /// At most `limit` items by (position, id), those after the item `after` if one is given.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there never was an item `after`.
    async fn list(&self, after: Option<&ItemId>, limit: u32) -> Result<Vec<Item>>;

    /// One item.
    async fn get(&self, id: &ItemId) -> Result<Item>;

    /// Adds an item, on top if it has no position.
    async fn add(&self, item: NewItem) -> Result<Item>;

    /// Changes an item; with `seen`, only if it still is what the editor has seen.
    async fn update(&self, id: &ItemId, changes: Changes, seen: Option<Version>) -> Result<Item>;

    /// Puts an item next to another one.
    async fn place(&self, id: &ItemId, place: &Place) -> Result<()>;

    /// Deletes items, so that [`Store::restore`] can bring them back for 30 days.
    ///
    /// # Errors
    /// [`Error::NotFound`] if [`Which::One`] does not exist.
    async fn delete(&self, which: Which<'_>) -> Result<DeletionId>;

    /// What an act of deleting took away and nobody brought back.
    async fn deleted(&self, deletion: &DeletionId) -> Result<Deleted>;

    /// Brings back what an act of deleting took away; once more does nothing.
    async fn restore(&self, deletion: &DeletionId) -> Result<()>;

    /// Whether the store answers.
    async fn ready(&self) -> Result<()>;

    /// Finishes what runs and lets go of the store.
    async fn close(&self);
}

/// What a page asks for.
#[derive(Debug, Clone, Default)]
pub struct BoardQuery {
    /// Only this section; none is all of them.
    pub status: Option<Status>,
    /// Only items whose title or description has this text, upper or lower case; empty is all.
    pub search: String,
    /// Only those after this item, in its section's order.
    pub after: Option<ItemId>,
    /// Of those done, all and not only those since `today`.
    pub older: bool,
    /// When today began.
    pub today: Timestamp,
    /// The most items of one section.
    pub limit: usize,
}

/// The most items that a section counts: to count them all would take longer the more there are.
pub const COUNT_MAX: u32 = 1_000;

/// If there are fewer than this many done, all are shown and not only today's.
pub const FEW_DONE: u32 = 5;

/// What a page shows.
#[derive(Debug, Default)]
pub struct Board {
    /// The sections asked for.
    pub sections: Vec<Section>,
    /// How many items match the search, by status; at most [`COUNT_MAX`] each.
    pub counts: [u32; 3],
    /// How many of those done were not done today; at most [`COUNT_MAX`].
    pub older: u32,
    /// The time of which this is, if the store does not answer at the moment.
    pub stale: Option<Timestamp>,
}

/// The items of one status: To Do and Doing by position, Done by the time, latest first.
#[derive(Debug)]
pub struct Section {
    /// The status.
    pub status: Status,
    /// Its items.
    pub items: Vec<Item>,
    /// Whether there are more after the last one.
    pub more: bool,
}

/// Where an item is put.
#[derive(Debug, Clone)]
pub enum Place {
    /// Right before this item.
    Before(ItemId),
    /// Right after this item.
    After(ItemId),
}

/// What to delete.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// One item.
    One(&'a ItemId),
    /// All that are done.
    Done,
    /// All.
    All,
}

/// What an act of deleting took away.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Deleted {
    /// How many items.
    pub count: u32,
    /// The title of one of them.
    pub title: Option<String>,
}
