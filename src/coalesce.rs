//! Request coalescing: a page that several ask for at the same time is made once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use crate::lock;

/// Values by their keys, each made anew for whoever asks. Only those who wait for the same one share it, and
/// nobody is given what was begun before they asked: a page shows all that was saved before.
#[derive(Debug)]
pub struct Coalesced<T, E>(Mutex<HashMap<String, Arc<Value<T, E>>>>);

#[derive(Debug)]
struct Value<T, E> {
    /// Held by who makes it.
    turn: tokio::sync::Mutex<()>,
    /// Who has asked since.
    waiting: Mutex<Vec<oneshot::Sender<Result<T, E>>>>,
}

impl<T, E> Default for Coalesced<T, E> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone, E: Clone> Coalesced<T, E> {
    /// The value of `key`, made by `make` or by somebody else who began after this call.
    ///
    /// # Errors
    /// That of whoever made it, also if they began before this call: what fails only after a time shall not
    /// take twice as long for who asked meanwhile.
    pub async fn get(&self, key: &str, make: impl Future<Output = Result<T, E>>) -> Result<T, E> {
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
                    let mut all = std::mem::take(&mut *lock(&asked.value.waiting));
                    let value = make.await;
                    if value.is_err() {
                        all.append(&mut lock(&asked.value.waiting));
                    }
                    for answer in all {
                        // Who has left meanwhile needs none.
                        drop(answer.send(value.clone()));
                    }
                    return value;
                }
            }
        }
    }

    fn ask<'a>(&'a self, key: &'a str) -> Asked<'a, T, E> {
        let new = || Arc::new(Value { turn: tokio::sync::Mutex::default(), waiting: Mutex::default() });
        let value = Arc::clone(lock(&self.0).entry(key.to_owned()).or_insert_with(new));
        Asked { values: &self.0, key, value }
    }
}

/// Somebody who waits for a value; with the last of them it is forgotten.
struct Asked<'a, T, E> {
    values: &'a Mutex<HashMap<String, Arc<Value<T, E>>>>,
    key: &'a str,
    value: Arc<Value<T, E>>,
}

impl<T, E> Drop for Asked<'_, T, E> {
    fn drop(&mut self) {
        let mut values = lock(self.values);
        // The map's own, and this one. Two who leave at once may each count the other: what they leave behind,
        // whoever leaves next forgets.
        values.retain(|key, value| Arc::strong_count(value) > if key == self.key { 2 } else { 1 });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    type Pages = Coalesced<&'static str, &'static str>;
    type Page = Result<&'static str, &'static str>;
    type Asking = tokio::task::JoinHandle<Page>;

    /// Asks and, should it come to that, makes this.
    fn asks(pages: &Arc<Pages>, key: &'static str, makes: &'static str) -> Asking {
        let pages = Arc::clone(pages);
        tokio::spawn(async move { pages.get(key, async { Ok(makes) }).await })
    }

    /// The first page is being made until it is told what comes of it, and who asked second waits.
    async fn one_waits(pages: &Arc<Pages>) -> (oneshot::Sender<Page>, Asking, Asking) {
        let (go_on, told) = oneshot::channel();
        let making = Arc::clone(pages);
        let make = async { told.await.unwrap_or(Err("cancelled")) };
        let first = tokio::spawn(async move { making.get("/", make).await });
        tokio::task::yield_now().await;
        let second = asks(pages, "/", "second");
        tokio::task::yield_now().await;
        (go_on, first, second)
    }

    #[tokio::test]
    async fn those_who_ask_while_one_is_made_share_the_next_one() {
        let pages = Arc::new(Coalesced::default());
        let (go_on, first, second) = one_waits(&pages).await;
        let third = asks(&pages, "/", "third");
        tokio::task::yield_now().await;
        assert_eq!(asks(&pages, "/?q=other", "other").await.unwrap(), Ok("other"), "another page waits for nobody");
        go_on.send(Ok("first")).unwrap();
        assert_eq!(first.await.unwrap(), Ok("first"));
        assert_eq!(
            second.await.unwrap(),
            Ok("second"),
            "what was begun before one asked may lack what was saved since"
        );
        assert_eq!(third.await.unwrap(), Ok("second"));
        assert!(pages.0.lock().unwrap().is_empty(), "nothing is kept for nobody");
    }

    #[tokio::test]
    async fn somebody_who_leaves_while_making_one_keeps_nobody_waiting() {
        let pages = Arc::new(Coalesced::default());
        let (_go_on, first, second) = one_waits(&pages).await;
        first.abort();
        assert_eq!(second.await.unwrap(), Ok("second"));
        assert!(pages.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn who_asks_while_one_fails_is_told_at_once() {
        let pages = Arc::new(Coalesced::default());
        let (go_on, first, second) = one_waits(&pages).await;
        go_on.send(Err("the database is gone")).unwrap();
        assert_eq!(first.await.unwrap(), Err("the database is gone"));
        assert_eq!(second.await.unwrap(), Err("the database is gone"));
    }
}
