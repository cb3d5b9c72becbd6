//! Items on a Trello board: a card is an item, and the list that it is in is its status.
//! <https://developer.atlassian.com/cloud/trello/rest/>

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use rocket::async_trait;
use rocket::serde::json::{Value, json, serde_json};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::{Board, BoardQuery, COUNT_MAX, Deleted, Error, FEW_DONE, Place, Result, Section, Store, Which};
use crate::http_client;
use crate::item::{Changes, DeletionId, Description, Item, ItemId, NewItem, Position, Status, Title, Version};

/// Where Trello is, unless `TRELLO_URL` says otherwise.
pub const DEFAULT_URL: &str = "https://api.trello.com/1";

/// What the lists are called that a board lacks and that are therefore made.
pub const DEFAULT_LISTS: [&str; 3] = ["To Do", "Doing", "Done"];

/// What else lists are called, in lower case, by status.
const OTHER_NAMES: [&[&str]; 3] =
    [&["todo", "to-do", "not started", "backlog"], &["in progress", "started"], &["completed", "complete", "finished"]];

/// How old the board that a page shows may be, unless we have changed it since. Trello answers 100
/// requests in 10 seconds; this takes at most 5 of them, however many readers there are.
const FRESH: Duration = Duration::from_secs(2);

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(5);

/// How long an act may take in all, with what is tried again; shorter than proxies wait for us.
const ACT: Duration = Duration::from_secs(12);

/// The distance between two cards' positions where we number them.
const GAP: f64 = 65_536.0;

/// How to get at a board.
#[derive(Debug, Clone)]
pub struct Access {
    /// `TRELLO_API_KEY`.
    pub key: SecretString,
    /// `TRELLO_API_TOKEN`.
    pub token: SecretString,
    /// The board's id or its name.
    pub board: String,
    /// What its lists are called, by status.
    pub lists: [String; 3],
    /// Where Trello is.
    pub url: String,
}

/// Why a board cannot be used; one line each, none shows a credential.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// No such key.
    #[error("Trello does not know the key in TRELLO_API_KEY; see https://trello.com/power-ups/admin")]
    Key,
    /// No such token; the key's secret is often taken for it.
    #[error(
        "Trello does not know the token in TRELLO_API_TOKEN. It is not the key's secret: \
         on the page of the key, follow the link Token and copy what it shows"
    )]
    Token,
    /// The token is no good for this board.
    #[error(
        "the token in TRELLO_API_TOKEN may not read and write the board {0:?}; make one with the scopes read,write"
    )]
    Permission(String),
    /// No such board.
    #[error("TRELLO_BOARD_ID is {0:?}, but that is neither the id nor the name of a board that the token can see")]
    Board(String),
    /// It does not answer as Trello does.
    #[error("Trello cannot be used: {0}")]
    Other(#[from] Refusal),
}

/// What went wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Trello said no.
    #[error("Trello answered {0}: {1}")]
    Status(StatusCode, String),
    /// No answer, or none that makes sense.
    #[error("no answer of Trello's that makes sense ({})", innermost(.0))]
    Request(#[source] reqwest::Error),
    /// It took too long.
    #[error("Trello did not answer in time")]
    Late,
}

/// What an error comes from in the end: no such host, a certificate, half an answer.
fn innermost(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map_or_else(String::new, ToString::to_string)
}

impl Refusal {
    /// Whether the request cannot have had an effect.
    fn is_untouched(&self) -> bool {
        match self {
            Self::Status(status, _) => *status == StatusCode::TOO_MANY_REQUESTS,
            Self::Request(error) => error.is_connect(),
            Self::Late => false,
        }
    }

    /// Whether it may go better the next time.
    fn is_passing(&self) -> bool {
        match self {
            // 449: a part of it failed.
            Self::Status(status, _) => status.is_server_error() || [429, 449].contains(&status.as_u16()),
            Self::Request(error) => !error.is_decode(),
            Self::Late => true,
        }
    }

    fn says(&self, wanted: StatusCode, text: &str) -> bool {
        matches!(self, Self::Status(status, said) if *status == wanted && said.contains(text))
    }
}

impl From<reqwest::Error> for Refusal {
    fn from(error: reqwest::Error) -> Self {
        Self::Request(error.without_url())
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Status(StatusCode::NOT_FOUND, _) => Self::NotFound,
            // An id that no card can have.
            ref r if r.says(StatusCode::BAD_REQUEST, "invalid id") => Self::NotFound,
            other => Self::Unavailable(other.into()),
        }
    }
}

/// A store on a Trello board.
pub struct Trello {
    http: reqwest::Client,
    url: String,
    /// The lists' ids, by status.
    lists: [String; 3],
    board: String,
    cached: Mutex<Cached>,
    /// Trello cannot compare and set, so our own writes go one after the other.
    writing: Mutex<()>,
    /// Which cards were archived together, to undo it; one alone needs no entry.
    deletions: Mutex<HashMap<String, Vec<ItemId>>>,
}

#[derive(Default)]
struct Cached {
    /// All items by (position, id), and when Trello said so.
    items: Option<(Arc<Vec<Item>>, Timestamp)>,
    /// Until when not to ask again.
    until: Option<Instant>,
    /// Why the last reading failed, if it did.
    failed: Option<String>,
}

impl fmt::Debug for Trello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trello").field("board", &self.board).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct List {
    id: String,
    name: String,
    #[serde(default)]
    cards: Vec<Card>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Card {
    id: String,
    name: String,
    #[serde(default)]
    desc: String,
    #[serde(default)]
    closed: bool,
    id_list: String,
    pos: f64,
    due: Option<Timestamp>,
    date_last_activity: Timestamp,
}

#[derive(Deserialize)]
struct Named {
    id: String,
    name: String,
}

impl Trello {
    /// Finds the board and its lists, and makes the lists that it lacks.
    ///
    /// # Errors
    /// What is wrong, and what to do about it.
    pub async fn open(access: &Access) -> std::result::Result<Self, AccessError> {
        let credentials = format!(
            "OAuth oauth_consumer_key=\"{}\", oauth_token=\"{}\"",
            access.key.expose_secret(),
            access.token.expose_secret()
        );
        // A header's value cannot have a line break, and no credential has one.
        let mut credentials = HeaderValue::try_from(credentials).map_err(|_| AccessError::Token)?;
        credentials.set_sensitive(true);
        let http = http_client()
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, credentials)]))
            .connect_timeout(Duration::from_secs(2))
            .timeout(REQUEST)
            .build()
            .map_err(Refusal::from)?;
        let mut trello = Self {
            http,
            url: access.url.trim_end_matches('/').to_owned(),
            lists: Default::default(),
            board: access.board.clone(),
            cached: Mutex::default(),
            writing: Mutex::default(),
            deletions: Mutex::default(),
        };
        trello.find(access).await.map_err(|refusal| match refusal {
            AccessError::Other(refusal) => refused(refusal, access),
            other => other,
        })?;
        Ok(trello)
    }

    async fn find(&mut self, access: &Access) -> std::result::Result<(), AccessError> {
        let lists = match self.read_lists(&access.board).await {
            Ok(lists) => lists,
            Err(Refusal::Status(StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND, _)) => {
                let boards: Vec<Named> = self.get("/members/me/boards?fields=name&filter=open").await?;
                let board = boards.into_iter().find(|board| board.name.eq_ignore_ascii_case(&access.board));
                self.board = board.ok_or_else(|| AccessError::Board(access.board.clone()))?.id;
                self.read_lists(&self.board).await?
            }
            Err(refusal) => return Err(refusal.into()),
        };
        for (status, wanted) in access.lists.iter().enumerate() {
            let is_called = |name: &str| lists.iter().find(|list| list.name.trim().eq_ignore_ascii_case(name));
            let found = is_called(wanted).or_else(|| OTHER_NAMES[status].iter().find_map(|name| is_called(name)));
            self.lists[status] = match found {
                Some(list) => list.id.clone(),
                None => {
                    let list = json!({ "idBoard": self.board, "name": wanted, "pos": "bottom" });
                    self.send_once::<Named>(Method::POST, "/lists", list).await?.id
                }
            };
        }
        Ok(())
    }

    async fn read_lists(&self, board: &str) -> std::result::Result<Vec<List>, Refusal> {
        let fields = "name,desc,closed,idList,pos,due,dateLastActivity";
        self.get(&format!("/boards/{}/lists?cards=open&card_fields={fields}", path_segment(board))).await
    }

    /// All items by (position, id), and since when they are out of date if Trello does not answer.
    /// Readers that come while somebody reads wait for that.
    async fn items(&self) -> Result<(Arc<Vec<Item>>, Option<Timestamp>)> {
        let mut cached = self.cached.lock().await;
        if cached.until.is_none_or(|until| until < Instant::now()) {
            match in_time(self.read_lists(&self.board)).await {
                Ok(lists) => {
                    let cards = lists.into_iter().flat_map(|list| list.cards);
                    let mut items: Vec<_> = cards.filter_map(|card| self.item(card)).collect();
                    items.sort_by(|a, b| key(a).partial_cmp(&key(b)).unwrap_or(std::cmp::Ordering::Equal));
                    cached.items = Some((Arc::new(items), Timestamp::now()));
                    cached.failed = None;
                }
                Err(refusal) => {
                    tracing::warn!(%refusal, "the board cannot be read");
                    cached.failed = Some(refusal.to_string());
                }
            }
            cached.until = Some(Instant::now() + FRESH);
        }
        match (&cached.items, &cached.failed) {
            (Some((items, at)), failed) => Ok((Arc::clone(items), failed.as_ref().map(|_| *at))),
            (None, failed) => Err(Error::Unavailable(failed.clone().unwrap_or_default().into())),
        }
    }

    /// All items as they are now.
    async fn fresh_items(&self) -> Result<Arc<Vec<Item>>> {
        self.changed().await;
        match self.items().await? {
            (items, None) => Ok(items),
            (_, Some(_)) => Err(Error::Unavailable("the board cannot be read".into())),
        }
    }

    /// What we have changed is read again; the old list remains for the case that Trello does not answer.
    async fn changed(&self) {
        self.cached.lock().await.until = None;
    }

    /// A card on one of our lists, as an item.
    fn item(&self, card: Card) -> Option<Item> {
        let status = Status::ALL.into_iter().find(|status| self.list(*status) == card.id_list)?;
        Some(Item {
            // An id begins with the time in seconds.
            created: card
                .id
                .get(..8)
                .and_then(|seconds| i64::from_str_radix(seconds, 16).ok())
                .and_then(|seconds| Timestamp::from_second(seconds).ok())
                .unwrap_or_default(),
            id: ItemId::stored(card.id),
            title: Title::stored(card.name),
            description: Description::stored(card.desc),
            due: card.due.map(|due| due.to_zoned_datetime(TimeZone::system()).date()),
            status,
            position: card.pos,
            changed: card.date_last_activity,
            done: (status == Status::Done).then_some(card.date_last_activity),
        })
    }

    fn list(&self, status: Status) -> &str {
        &self.lists[status as usize]
    }

    async fn card(&self, id: &str) -> std::result::Result<Card, Refusal> {
        self.get(&format!("/cards/{id}?fields=name,desc,closed,idList,pos,due,dateLastActivity")).await
    }

    /// An item as it is now.
    async fn current(&self, id: &ItemId) -> Result<Item> {
        let card = self.card(id.as_str()).await?;
        if card.closed { Err(Error::NotFound) } else { self.item(card).ok_or(Error::NotFound) }
    }

    async fn put(&self, id: &ItemId, change: Value) -> Result<Item> {
        let path = format!("/cards/{id}");
        let card = again(5, || self.send_once::<Card>(Method::PUT, &path, change.clone()), Refusal::is_passing).await;
        self.changed().await;
        self.item(card?).ok_or(Error::NotFound)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> std::result::Result<T, Refusal> {
        // Not often, since there is an older list to show.
        again(2, || self.send_once(Method::GET, path, Value::Null), Refusal::is_passing).await
    }

    /// One request, with its parameters in the body: a long title in the address would be refused.
    async fn send_once<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Value,
    ) -> std::result::Result<T, Refusal> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        if !status.is_success() {
            let said: String = answer.text().await.unwrap_or_default().chars().take(200).collect();
            return Err(Refusal::Status(status, said));
        }
        Ok(answer.json().await?)
    }
}

#[async_trait]
impl Store for Trello {
    async fn board(&self, query: &BoardQuery) -> Result<Board> {
        let (items, stale) = self.items().await?;
        let search = query.search.to_lowercase();
        let is_found = |text: &str| search.is_empty() || text.to_lowercase().contains(&search);
        let found: Vec<_> =
            items.iter().filter(|item| is_found(item.title.as_str()) || is_found(item.description.as_str())).collect();
        let count = |which: &dyn Fn(&Item) -> bool| {
            let count = found.iter().filter(|item| which(item)).count();
            u32::try_from(count).unwrap_or(COUNT_MAX).min(COUNT_MAX)
        };
        let counts = Status::ALL.map(|status| count(&|item| item.status == status));
        let is_older = |item: &Item| item.done.is_some_and(|done| done < query.today);
        let all_done = query.older || query.after.is_some() || counts[Status::Done as usize] < FEW_DONE;
        let section = |status| {
            let mut items: Vec<_> = found
                .iter()
                .filter(|item| item.status == status && (all_done || !is_older(item)))
                .map(|item| Item::clone(item))
                .collect();
            if status == Status::Done {
                items.sort_by(|a, b| (b.done, b.id.as_str()).cmp(&(a.done, a.id.as_str())));
            }
            if let Some(after) = &query.after {
                let shown = items.iter().position(|item| item.id == *after).map_or(0, |index| index + 1);
                items.drain(..shown);
            }
            let more = items.len() > query.limit;
            items.truncate(query.limit);
            Section { status, items, more }
        };
        let sections = query.status.map_or(Status::ALL.to_vec(), |status| vec![status]);
        let sections = sections.into_iter().map(section).collect();
        Ok(Board { sections, counts, older: count(&is_older), stale })
    }

    async fn list(&self, after: Option<&ItemId>, limit: u32) -> Result<Vec<Item>> {
        in_time(async move {
            let (items, _) = self.items().await?;
            let start = match after {
                None => 0,
                Some(after) => match items.iter().position(|item| item.id == *after) {
                    Some(index) => index + 1,
                    // An archived card still marks its place.
                    None => {
                        let card = self.card(after.as_str()).await?;
                        items.partition_point(|item| key(item) <= (card.pos, card.id.as_str()))
                    }
                },
            };
            Ok(items.iter().skip(start).take(limit as usize).cloned().collect())
        })
        .await
    }

    async fn get(&self, id: &ItemId) -> Result<Item> {
        in_time(self.current(id)).await
    }

    async fn add(&self, new: NewItem) -> Result<Item> {
        in_time(async move {
            let card = json!({
                "idList": self.list(new.status),
                "name": new.title.as_str(),
                "desc": new.description.as_str(),
                "due": new.due.map(noon),
                "pos": new.position.map_or(json!("top"), |position| json!(position)),
            });
            let _alone = self.writing.lock().await;
            // Tried again only where it cannot have been done: a second card would be worse than an error.
            let made =
                again(5, || self.send_once::<Card>(Method::POST, "/cards", card.clone()), Refusal::is_untouched).await;
            self.changed().await;
            self.item(made?).ok_or(Error::NotFound)
        })
        .await
    }

    async fn update(&self, id: &ItemId, changes: Changes, seen: Option<Version>) -> Result<Item> {
        in_time(async move {
            let _alone = self.writing.lock().await;
            let now = self.current(id).await?;
            if seen.is_some_and(|seen| seen != now.version()) {
                return Err(Error::Conflict);
            }
            let mut change = serde_json::Map::new();
            if let Some(title) = &changes.title {
                change.insert("name".into(), json!(title.as_str()));
            }
            if let Some(description) = &changes.description {
                change.insert("desc".into(), json!(description.as_str()));
            }
            if let Some(due) = changes.due {
                change.insert("due".into(), json!(due.map(noon)));
            }
            if let Some(status) = changes.status.filter(|status| *status != now.status) {
                change.insert("idList".into(), json!(self.list(status)));
                change.insert("dueComplete".into(), json!(status == Status::Done));
                if changes.position == Some(Position::TopOfNewSection) {
                    change.insert("pos".into(), json!("top"));
                }
            }
            if let Some(Position::At(position)) = changes.position {
                change.insert("pos".into(), json!(position));
            }
            if change.is_empty() { Ok(now) } else { self.put(id, change.into()).await }
        })
        .await
    }

    async fn place(&self, id: &ItemId, place: &Place) -> Result<()> {
        in_time(async move {
            let _alone = self.writing.lock().await;
            self.current(id).await?;
            let items = self.fresh_items().await?;
            let (Place::Before(beside) | Place::After(beside)) = place;
            let others: Vec<_> = items.iter().filter(|item| item.id != *id).collect();
            let beside = others.iter().position(|item| item.id == *beside).ok_or(Error::NotFound)?;
            let index = if matches!(place, Place::Before(_)) { beside } else { beside + 1 };
            let (before, after) =
                (index.checked_sub(1).map(|i| others[i].position), others.get(index).map(|i| i.position));
            let position = match (before, after) {
                (None, None) => return Ok(()),
                (None, Some(after)) => after / 2.0,
                (Some(before), None) => before + GAP,
                (Some(before), Some(after)) => before + (after - before) / 2.0,
            };
            if before.is_none_or(|before| before < position) && after.is_none_or(|after| position < after) {
                self.put(id, json!({ "pos": position })).await?;
                return Ok(());
            }
            // No number is left between the two: give all from there on new ones, from the last one backwards.
            let first = before.unwrap_or_default();
            let tail = &others[index..];
            for (number, item) in tail.iter().enumerate().rev() {
                self.put(&item.id, json!({ "pos": first + GAP * (number + 2) as f64 })).await?;
            }
            self.put(id, json!({ "pos": first + GAP })).await?;
            Ok(())
        })
        .await
    }

    async fn delete(&self, which: Which<'_>) -> Result<DeletionId> {
        in_time(async move {
            let _alone = self.writing.lock().await;
            let (deletion, ids) = match which {
                Which::One(id) => {
                    self.current(id).await?;
                    // Its own id says what was deleted, in every copy and after a restart.
                    (id.as_str().parse().map_err(|_| Error::NotFound)?, vec![id.clone()])
                }
                Which::Done | Which::All => {
                    let is_meant = |item: &&Item| matches!(which, Which::All) || item.status == Status::Done;
                    let ids = self.fresh_items().await?.iter().filter(is_meant).map(|item| item.id.clone()).collect();
                    (DeletionId::generate(), ids)
                }
            };
            for (done, id) in ids.iter().enumerate() {
                // Known before it is done, so that what was done can be undone if we get no further.
                if !matches!(which, Which::One(_)) {
                    self.deletions.lock().await.entry(deletion.to_string()).or_default().push(id.clone());
                }
                match self.put(id, json!({ "closed": true })).await {
                    Ok(_) | Err(Error::NotFound) => {}
                    Err(error) if done == 0 => return Err(error),
                    Err(error) => {
                        tracing::warn!(%error, done, of = ids.len(), "not all could be archived");
                        break;
                    }
                }
            }
            Ok(deletion)
        })
        .await
    }

    async fn deleted(&self, deletion: &DeletionId) -> Result<Deleted> {
        in_time(async move {
            let mut deleted = Deleted::default();
            for item in self.archived(deletion).await? {
                deleted.count += 1;
                deleted.title.get_or_insert(item.title.to_string());
            }
            Ok(deleted)
        })
        .await
    }

    async fn restore(&self, deletion: &DeletionId) -> Result<()> {
        in_time(async move {
            let _alone = self.writing.lock().await;
            for item in self.archived(deletion).await? {
                self.put(&item.id, json!({ "closed": false })).await?;
            }
            Ok(())
        })
        .await
    }

    async fn ready(&self) -> Result<()> {
        match self.items().await? {
            (_, None) => Ok(()),
            (_, Some(since)) => Err(Error::Unavailable(format!("Trello has not answered since {since}").into())),
        }
    }

    async fn close(&self) {}
}

impl Trello {
    /// What an act of deleting archived and nobody brought back; cards of our lists only, whatever
    /// id somebody asks for.
    async fn archived(&self, deletion: &DeletionId) -> Result<Vec<Item>> {
        let together = self.deletions.lock().await.get(deletion.as_str()).cloned();
        let mut archived = Vec::new();
        for id in together.unwrap_or_else(|| vec![ItemId::stored(deletion.to_string())]) {
            match self.card(id.as_str()).await.map_err(Error::from) {
                Ok(card) if card.closed => archived.extend(self.item(card)),
                Ok(_) | Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(archived)
    }
}

/// In which order items are listed.
fn key(item: &Item) -> (f64, &str) {
    (item.position, item.id.as_str())
}

/// Tries again, up to so many times, later and later, what may go better then.
async fn again<T, F: Future<Output = std::result::Result<T, Refusal>>>(
    times: usize,
    act: impl FnMut() -> F,
    may_go_better: fn(&Refusal) -> bool,
) -> std::result::Result<T, Refusal> {
    let later =
        ExponentialBuilder::default().with_min_delay(Duration::from_millis(200)).with_max_times(times).with_jitter();
    act.retry(later).when(may_go_better).await
}

async fn in_time<T, E: From<Refusal>>(
    act: impl Future<Output = std::result::Result<T, E>>,
) -> std::result::Result<T, E> {
    tokio::time::timeout(ACT, act).await.unwrap_or_else(|_| Err(Refusal::Late.into()))
}

/// Noon of that day here: the same day wherever else people look at the board.
fn noon(day: Date) -> String {
    let noon = day.at(12, 0, 0, 0).to_zoned_datetime(TimeZone::system());
    noon.map_or_else(|_| format!("{day}T12:00:00.000Z"), |noon| format!("{:.3}", noon.timestamp()))
}

/// A name or an id as a part of an address.
fn path_segment(text: &str) -> String {
    rocket::http::RawStr::percent_encode_bytes(text.as_bytes()).to_string().replace('/', "%2F")
}

/// What an answer means for who has set up the access.
fn refused(refusal: Refusal, access: &Access) -> AccessError {
    match refusal {
        ref r if r.says(StatusCode::UNAUTHORIZED, "invalid key") => AccessError::Key,
        ref r if r.says(StatusCode::UNAUTHORIZED, "invalid token") => AccessError::Token,
        Refusal::Status(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
            AccessError::Permission(access.board.clone())
        }
        other => other.into(),
    }
}
