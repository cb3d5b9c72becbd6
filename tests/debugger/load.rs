//! Requests all the time, while a debugger is there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::support::client;

/// Clients, none of whose requests may fail.
pub struct Load {
    stop: Arc<AtomicBool>,
    /// When each was sent, and how long its answer took.
    answered: Arc<Mutex<Vec<(Instant, Duration)>>>,
    /// Held while an item is added: LLDB 19 may stop once more where two threads come to a breakpoint at once.
    pub adding: Arc<tokio::sync::Mutex<()>>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts clients who ask for the list and others who add items, each with a pause after each answer.
    pub fn start(url: &str, asking: usize, adding: usize, pause: Duration) -> Self {
        let mut load =
            Self { stop: Arc::default(), answered: Arc::default(), adding: Arc::default(), clients: Vec::new() };
        let adds = (0..asking + adding).map(|number| number >= asking);
        load.clients = adds.map(|adds| tokio::spawn(load.requests(url.to_owned(), adds, pause))).collect();
        load
    }

    /// What one client does.
    fn requests(&self, url: String, adds: bool, pause: Duration) -> impl Future<Output = ()> + use<> {
        let (stop, answered, adding) = (self.stop.clone(), self.answered.clone(), self.adding.clone());
        async move {
            let client = client();
            while !stop.load(Ordering::Relaxed) {
                let (turn, request) = match adds {
                    true => (
                        Some(adding.lock().await),
                        client.post(format!("{url}/items")).form(&[("title", "One of many")]),
                    ),
                    false => (None, client.get(&url)),
                };
                let sent = Instant::now();
                let status = request.send().await.expect("an answer").status();
                answered.lock().unwrap().push((sent, sent.elapsed()));
                assert_eq!(status, if adds { 303 } else { 200 });
                drop(turn);
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// How many requests were answered until now.
    pub fn count(&self) -> usize {
        self.answered.lock().unwrap().len()
    }

    /// In which time 99 of 100 requests were answered that were sent and answered in a time.
    pub fn p99(&self, from: Instant, to: Instant) -> Duration {
        let answered = self.answered.lock().unwrap();
        let within = answered.iter().filter(|(sent, took)| *sent >= from && *sent + *took <= to);
        let mut times: Vec<_> = within.map(|(_, took)| *took).collect();
        times.sort();
        times[times.len() * 99 / 100]
    }

    /// The longest time that an answer took.
    pub fn longest(&self, from: Instant, to: Instant) -> Duration {
        let answered = self.answered.lock().unwrap();
        answered
            .iter()
            .filter(|(sent, took)| *sent + *took >= from && *sent <= to)
            .map(|(_, took)| *took)
            .max()
            .unwrap()
    }

    /// Ends after the last answers.
    pub async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
    }
}
