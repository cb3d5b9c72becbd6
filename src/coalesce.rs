//! Request coalescing: a page that several ask for at the same time is made once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Values by their keys, each made anew for whoever asks. Only those who wait for the same one share it, and
/// nobody is given what was begun before they asked: a page shows all that was saved before.
#[derive(Debug)]
pub struct Coalesced<T>(Mutex<HashMap<String, Arc<Value<T>>>>);

#[derive(Debug)]
struct Value<T> {
    /// Held by who makes it.
    turn: tokio::sync::Mutex<()>,
    /// Who has asked since.
    waiting: Mutex<Vec<oneshot::Sender<T>>>,
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
        loop {
            let (answer, mut made) = oneshot::channel();
            lock(&asked.value.waiting).push(answer);
            tokio::select! {
                biased;
                made = &mut made => match made {
                    Ok(value) => return value,
                    // Who made it has left.
                    Err(_) => continue,
                },
                _turn = asked.value.turn.lock() => {
                    // Requests that are here already are read first, so that they can be in.
                    tokio::task::yield_now().await;
                    let all = std::mem::take(&mut *lock(&asked.value.waiting));
                    let value = make.await;
                    for answer in all {
                        // Who has left meanwhile needs none.
                        drop(answer.send(value.clone()));
                    }
                    return value;
                }
            }
        }
    }

    fn ask<'a>(&'a self, key: &'a str) -> Asked<'a, T> {
        let new = || Arc::new(Value { turn: tokio::sync::Mutex::default(), waiting: Mutex::default() });
        let value = Arc::clone(lock(&self.0).entry(key.to_owned()).or_insert_with(new));
        Asked { values: &self.0, key, value }
    }
}

/// Somebody who waits for a value; with the last of them it is forgotten.
struct Asked<'a, T> {
    values: &'a Mutex<HashMap<String, Arc<Value<T>>>>,
    key: &'a str,
    value: Arc<Value<T>>,
}

impl<T> Drop for Asked<'_, T> {
    fn drop(&mut self) {
        let mut values = lock(self.values);
        // The map's own, and this one.
        if Arc::strong_count(&self.value) == 2 {
            values.remove(self.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

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
