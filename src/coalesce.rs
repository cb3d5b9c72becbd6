//! Request coalescing: a page that several ask for at the same time is made once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Values by their keys, each made anew for whoever asks. Only those who wait for the same one share it, and
/// nobody is given what was begun before they asked: a page shows all that was saved before.
#[derive(Debug)]
pub struct Coalesced<T>(Mutex<HashMap<String, Arc<Value<T>>>>);

#[derive(Debug)]
struct Value<T> {
    /// How many times making it was begun.
    begun: AtomicU64,
    /// What was made last, and which time that was; locked while the next one is made.
    made: tokio::sync::Mutex<Option<(u64, T)>>,
}

impl<T> Default for Coalesced<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Coalesced<T> {
    /// The value of `key`, made by `make` or by somebody else who began after this call.
    pub async fn get(&self, key: &str, make: impl Future<Output = T>) -> T {
        let asked = self.ask(key);
        let mut made = asked.value.made.lock().await;
        if let Some((_, shared)) = made.as_ref().filter(|(number, _)| *number > asked.begun) {
            return shared.clone();
        }
        let number = asked.value.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let value = make.await;
        *made = Some((number, value.clone()));
        value
    }

    fn ask<'a>(&'a self, key: &'a str) -> Asked<'a, T> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Value { begun: AtomicU64::new(0), made: tokio::sync::Mutex::new(None) };
        let value = Arc::clone(values.entry(key.to_owned()).or_insert_with(|| Arc::new(new())));
        let begun = value.begun.load(Ordering::SeqCst);
        Asked { values: &self.0, key, value, begun }
    }
}

/// Somebody who waits for a value; with the last of them it is forgotten.
struct Asked<'a, T> {
    values: &'a Mutex<HashMap<String, Arc<Value<T>>>>,
    key: &'a str,
    value: Arc<Value<T>>,
    begun: u64,
}

impl<T> Drop for Asked<'_, T> {
    fn drop(&mut self) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's own, and this one.
        if Arc::strong_count(&self.value) == 2 {
            values.remove(self.key);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    /// Begins to make "first" and holds it until it is told to go on.
    fn held(pages: &Arc<Coalesced<&'static str>>) -> (oneshot::Sender<()>, tokio::task::JoinHandle<&'static str>) {
        let (go_on, told) = oneshot::channel();
        let pages = Arc::clone(pages);
        let first =
            tokio::spawn(async move { pages.get("/", async { told.await.map_or("cancelled", |()| "first") }).await });
        (go_on, first)
    }

    /// Asks and, should it come to that, makes this.
    fn asks(
        pages: &Arc<Coalesced<&'static str>>,
        key: &'static str,
        makes: &'static str,
    ) -> tokio::task::JoinHandle<&'static str> {
        let pages = Arc::clone(pages);
        tokio::spawn(async move { pages.get(key, async { makes }).await })
    }

    #[tokio::test]
    async fn those_who_ask_while_one_is_made_share_the_next_one() {
        let pages = Arc::new(Coalesced::default());
        let (go_on, first) = held(&pages);
        tokio::task::yield_now().await;
        let second = asks(&pages, "/", "second");
        tokio::task::yield_now().await;
        let third = asks(&pages, "/", "third");
        tokio::task::yield_now().await;
        assert_eq!(asks(&pages, "/?q=other", "other").await.unwrap(), "other", "another page waits for nobody");
        go_on.send(()).unwrap();
        assert_eq!(first.await.unwrap(), "first");
        assert_eq!(second.await.unwrap(), "second", "what was begun before one asked may lack what was saved since");
        assert_eq!(third.await.unwrap(), "second");
        assert!(pages.0.lock().unwrap().is_empty(), "nothing is kept for nobody");
    }

    #[tokio::test]
    async fn somebody_who_leaves_while_making_one_keeps_nobody_waiting() {
        let pages = Arc::new(Coalesced::default());
        let (_go_on, first) = held(&pages);
        tokio::task::yield_now().await;
        let second = asks(&pages, "/", "second");
        tokio::task::yield_now().await;
        first.abort();
        assert_eq!(second.await.unwrap(), "second");
        assert!(pages.0.lock().unwrap().is_empty());
    }
}
