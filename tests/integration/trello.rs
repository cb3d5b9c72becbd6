//! A Trello for the tests, which behaves as its documentation says; and what is said of Trello alone.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rocket::http::{ContentType, Header, Status as Http};
use rocket::request::{FromRequest, Outcome};
use rocket::response::Responder;
use rocket::serde::json::{Json, Value, json};
use rocket::{Request, State, async_trait, get, post, put, routes, tokio};
use todo_app::config::Config;
use todo_app::store::trello::{Access, Trello};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::app::{App, sqlite};
use crate::support::{Server, client, command};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const TOKEN: &str = "ATTA-token-that-nobody-may-see";
const BOARD: &str = "5f0000000000000000000001";

/// A server with one board.
pub struct Fake {
    pub url: String,
    board: Arc<Board>,
}

#[derive(Default)]
struct Board {
    lists: Mutex<Vec<Value>>,
    cards: Mutex<Vec<Value>>,
    made: AtomicU32,
    /// How many requests came in all.
    requests: AtomicU32,
    /// What the next requests get instead.
    faults: Mutex<VecDeque<Fault>>,
    /// The most requests in ten seconds; none is no limit.
    limit: Mutex<Option<usize>>,
    times: Mutex<Vec<Instant>>,
}

#[derive(Clone)]
enum Fault {
    Status(u16, &'static str),
    Slow(Duration),
    NotJson,
    /// The card is made, but the answer is an error.
    AfterTheDeed(u16),
}

impl Fake {
    pub async fn start() -> Self {
        Self::with_lists(&["To Do", "Doing", "Done"]).await
    }

    async fn with_lists(names: &[&str]) -> Self {
        let board = Arc::new(Board::default());
        for name in names {
            board.add_list(name);
        }
        let config =
            rocket::Config { port: 0, log_level: rocket::config::LogLevel::Off, ..rocket::Config::debug_default() };
        let (sender, port) = tokio::sync::oneshot::channel();
        let sender = Mutex::new(Some(sender));
        let server = rocket::custom(config)
            .manage(Arc::clone(&board))
            .mount("/1", routes![lists, card, add_card, change_card, add_list, boards])
            .attach(rocket::fairing::AdHoc::on_liftoff("port", move |rocket| {
                let sender = sender.lock().unwrap().take().unwrap();
                sender.send(rocket.config().port).unwrap();
                Box::pin(async {})
            }));
        tokio::spawn(server.launch());
        Self { url: format!("http://127.0.0.1:{}/1", port.await.unwrap()), board }
    }

    pub fn access(&self) -> Access {
        Access {
            key: KEY.into(),
            token: TOKEN.into(),
            board: BOARD.to_owned(),
            lists: ["To Do", "Doing", "Done"].map(str::to_owned),
            url: self.url.clone(),
        }
    }

    async fn app(&self) -> App {
        App::on(Arc::new(Trello::open(&self.access()).await.unwrap()), |_: &mut Config| ()).await
    }

    fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.board.faults.lock().unwrap().extend(faults);
    }

    fn requests(&self) -> u32 {
        self.board.requests.load(Ordering::SeqCst)
    }

    fn card_count(&self) -> usize {
        self.board.cards.lock().unwrap().len()
    }

    fn list_names(&self) -> Vec<String> {
        self.board.lists.lock().unwrap().iter().map(|list| list["name"].as_str().unwrap().to_owned()).collect()
    }
}

impl Board {
    fn id(&self) -> String {
        format!("{:08x}{:016x}", Timestamp::now().as_second(), self.made.fetch_add(1, Ordering::SeqCst) + 100)
    }

    fn add_list(&self, name: &str) -> Value {
        let list = json!({ "id": self.id(), "name": name, "closed": false, "idBoard": BOARD, "pos": 65535 });
        self.lists.lock().unwrap().push(list.clone());
        list
    }

    /// A position as Trello makes it of `top`, `bottom` or a number.
    fn position(&self, list: &Value, wanted: &Value) -> f64 {
        let cards = self.cards.lock().unwrap();
        let positions = cards.iter().filter(|card| card["idList"] == *list).filter_map(|card| card["pos"].as_f64());
        match wanted.as_str() {
            Some("top") => positions.reduce(f64::min).map_or(65_535.0, |first| first / 2.0),
            _ => wanted.as_f64().unwrap_or_else(|| positions.reduce(f64::max).unwrap_or_default() + 65_536.0),
        }
    }
}

/// A plain-text refusal, as most of Trello's are, with its headers.
struct Refused(u16, String);

impl<'r> Responder<'r, 'static> for Refused {
    fn respond_to(self, request: &'r Request<'_>) -> rocket::response::Result<'static> {
        let mut response = (Http::new(self.0), (ContentType::Plain, self.1)).respond_to(request)?;
        response.set_header(Header::new("x-rate-limit-api-token-remaining", "0"));
        Ok(response)
    }
}

fn refused(status: u16, text: &str) -> Refused {
    Refused(status, text.to_owned())
}

/// What a request is asked before anything else: who it is, how often it comes, and what shall go wrong.
struct Admitted {
    fault: Option<Fault>,
}

#[async_trait]
impl<'r> FromRequest<'r> for Admitted {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let board = request.rocket().state::<Arc<Board>>().unwrap();
        board.requests.fetch_add(1, Ordering::SeqCst);
        let header = request.headers().get_one("Authorization").unwrap_or_default();
        assert!(!request.uri().to_string().contains(TOKEN), "the token is in the address");
        let fault = board.faults.lock().unwrap().pop_front();
        let fault = if !header.contains(&format!("oauth_consumer_key=\"{KEY}\"")) {
            Some(Fault::Status(401, "invalid key"))
        } else if !header.contains(&format!("oauth_token=\"{TOKEN}\"")) {
            Some(Fault::Status(401, "invalid token"))
        } else if is_too_often(board) {
            Some(Fault::Status(429, r#"{"error":"API_TOKEN_LIMIT_EXCEEDED","message":"Rate limit exceeded"}"#))
        } else {
            fault
        };
        if let Some(Fault::Slow(time)) = fault {
            tokio::time::sleep(time).await;
        }
        Outcome::Success(Self { fault })
    }
}

fn is_too_often(board: &Board) -> bool {
    let Some(limit) = *board.limit.lock().unwrap() else { return false };
    let mut times = board.times.lock().unwrap();
    times.retain(|time| time.elapsed() < Duration::from_secs(10));
    times.push(Instant::now());
    times.len() > limit
}

impl Admitted {
    fn check(&self) -> Result<(), Refused> {
        match &self.fault {
            Some(Fault::Status(status, text)) => Err(refused(*status, text)),
            Some(Fault::NotJson) => Err(refused(200, "<html>This is a proxy's page</html>")),
            _ => Ok(()),
        }
    }

    fn after_the_deed(&self, card: Value) -> Result<Json<Value>, Refused> {
        match &self.fault {
            Some(Fault::AfterTheDeed(status)) => Err(refused(*status, "gateway")),
            _ => Ok(Json(card)),
        }
    }
}

#[get("/boards/<id>/lists?<cards>&<card_fields>")]
fn lists(
    admitted: Admitted,
    board: &State<Arc<Board>>,
    id: &str,
    cards: &str,
    card_fields: &str,
) -> Result<Json<Value>, Refused> {
    admitted.check()?;
    assert!(cards == "open" && card_fields.contains("dateLastActivity"));
    match id {
        BOARD => {}
        _ if id.len() == 24 => return Err(refused(404, "The requested resource was not found.")),
        _ => return Err(refused(400, "invalid id")),
    }
    let mut lists = board.lists.lock().unwrap().clone();
    for list in &mut lists {
        let cards = board.cards.lock().unwrap();
        let open = cards.iter().filter(|card| card["idList"] == list["id"] && card["closed"] == false);
        list["cards"] = open.cloned().collect();
    }
    Ok(Json(lists.into()))
}

#[get("/members/me/boards?fields=name")]
fn boards(admitted: Admitted) -> Result<Json<Value>, Refused> {
    admitted.check()?;
    Ok(Json(json!([{ "id": "5f0000000000000000000009", "name": "Other" }, { "id": BOARD, "name": "Our Board" }])))
}

#[post("/lists", data = "<list>")]
fn add_list(admitted: Admitted, board: &State<Arc<Board>>, list: Json<Value>) -> Result<Json<Value>, Refused> {
    admitted.check()?;
    Ok(Json(board.add_list(list["name"].as_str().unwrap())))
}

#[get("/cards/<id>?<fields>")]
fn card(admitted: Admitted, board: &State<Arc<Board>>, id: &str, fields: &str) -> Result<Json<Value>, Refused> {
    admitted.check()?;
    assert!(fields.contains("closed"));
    if id.len() != 24 {
        return Err(refused(400, "invalid id"));
    }
    let cards = board.cards.lock().unwrap();
    let card = cards.iter().find(|card| card["id"] == id);
    card.map(|card| Json(card.clone())).ok_or_else(|| refused(404, "The requested resource was not found."))
}

#[post("/cards", data = "<card>")]
fn add_card(admitted: Admitted, board: &State<Arc<Board>>, card: Json<Value>) -> Result<Json<Value>, Refused> {
    admitted.check()?;
    let mut new = json!({
        "id": board.id(), "name": "", "desc": "", "closed": false, "idBoard": BOARD, "due": null,
        "dueComplete": false, "dateLastActivity": Timestamp::now().round(jiff::Unit::Millisecond).unwrap(),
        "pos": board.position(&card["idList"], &card["pos"]), "labels": [], "shortUrl": "https://trello.com/c/x",
    });
    if !board.lists.lock().unwrap().iter().any(|list| list["id"] == card["idList"]) {
        return Err(refused(400, "invalid value for idList"));
    }
    for key in ["idList", "name", "desc", "due"] {
        new[key] = card[key].clone();
    }
    board.cards.lock().unwrap().push(new.clone());
    admitted.after_the_deed(new)
}

#[put("/cards/<id>", data = "<change>")]
fn change_card(
    admitted: Admitted,
    board: &State<Arc<Board>>,
    id: &str,
    change: Json<Value>,
) -> Result<Json<Value>, Refused> {
    admitted.check()?;
    let list = |cards: &[Value]| cards.iter().find(|card| card["id"] == id).map(|card| card["idList"].clone());
    let Some(list) = list(&board.cards.lock().unwrap()) else {
        return Err(refused(404, "The requested resource was not found."));
    };
    let list = change.get("idList").unwrap_or(&list);
    let position = change.get("pos").map(|wanted| board.position(list, wanted));
    let mut cards = board.cards.lock().unwrap();
    let card = cards.iter_mut().find(|card| card["id"] == id).unwrap();
    for (key, value) in change.as_object().unwrap() {
        card[key] = value.clone();
    }
    if let Some(position) = position {
        card["pos"] = json!(position);
    }
    // Two changes in one millisecond cannot be told apart, there or here.
    let before: Timestamp = card["dateLastActivity"].as_str().unwrap().parse().unwrap();
    let now = Timestamp::now().max(before + Duration::from_millis(1));
    card["dateLastActivity"] = json!(now.round(jiff::Unit::Millisecond).unwrap());
    let card = card.clone();
    drop(cards);
    admitted.after_the_deed(card)
}

#[rocket::async_test]
async fn a_board_is_found_by_its_name_too() {
    let fake = Fake::start().await;
    let access = Access { board: "our board".to_owned(), ..fake.access() };
    Trello::open(&access).await.unwrap();
    let nowhere = Access { board: "Nowhere".to_owned(), ..fake.access() };
    let error = Trello::open(&nowhere).await.unwrap_err().to_string();
    assert!(
        error.contains("TRELLO_BOARD_ID is \"Nowhere\"") && error.contains("neither the id nor the name"),
        "{error}"
    );
}

#[rocket::async_test]
async fn lists_by_other_names_are_recognised_and_a_missing_one_is_made() {
    let fake = Fake::with_lists(&["Not Started", "IN PROGRESS", "Ideas"]).await;
    Trello::open(&fake.access()).await.unwrap();
    assert_eq!(fake.list_names(), ["Not Started", "IN PROGRESS", "Ideas", "Done"]);
    Trello::open(&fake.access()).await.unwrap();
    assert_eq!(fake.list_names().len(), 4);
}

#[rocket::async_test]
async fn a_wrong_credential_is_named_with_what_to_do() {
    let fake = Fake::start().await;
    let wrong_key = Access { key: "secret-key".into(), ..fake.access() };
    let error = Trello::open(&wrong_key).await.unwrap_err().to_string();
    assert!(error.contains("TRELLO_API_KEY"), "{error}");
    let wrong_token = Access { token: "the-keys-secret".into(), ..fake.access() };
    let error = Trello::open(&wrong_token).await.unwrap_err().to_string();
    assert!(error.contains("TRELLO_API_TOKEN") && error.contains("not the key's secret"), "{error}");
    fake.next([Fault::Status(401, "unauthorized permission requested")]);
    let error = Trello::open(&fake.access()).await.unwrap_err().to_string();
    assert!(error.contains("may not read and write the board"), "{error}");
}

#[rocket::async_test]
async fn many_readers_share_one_request() {
    let fake = Fake::start().await;
    let app = fake.app().await;
    let before = fake.requests();
    let pages = rocket::futures::future::join_all((0..50).map(|_| app.get("/"))).await;
    assert!(pages.iter().all(|page| page.status == 200));
    assert_eq!(fake.requests() - before, 1);
    // What was written is on the next page.
    app.post("/items", &[("title", "Seen at once")]).await.is(303);
    app.get("/").await.shows("Seen at once");
}

#[rocket::async_test]
async fn a_busy_page_stays_inside_the_rate_limit() {
    let fake = Fake::start().await;
    *fake.board.limit.lock().unwrap() = Some(100);
    let app = fake.app().await;
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(5) {
        app.get("/").await.is(200);
    }
    assert!(fake.requests() < 10, "{}", fake.requests());
}

#[rocket::async_test]
async fn what_is_safe_to_repeat_is_tried_again() {
    let fake = Fake::start().await;
    let app = fake.app().await;
    fake.next([Fault::Status(503, ""), Fault::Status(429, "limit"), Fault::NotJson]);
    // The last one is not passing, so it is not tried again: the page has no list yet.
    app.get("/").await.is(503);
    tokio::time::sleep(Duration::from_secs(2)).await;
    fake.next([Fault::Status(503, ""), Fault::Status(429, "limit")]);
    app.get("/").await.is(200);
    // A refused card was not made, so it is sent again; one that may have been made is not.
    fake.next([Fault::Status(429, "limit")]);
    app.post("/items", &[("title", "Once")]).await.is(303);
    fake.next([Fault::AfterTheDeed(504)]);
    app.post("/items", &[("title", "Perhaps")]).await.is(503).shows("was most likely not saved");
    assert_eq!(fake.card_count(), 2);
}

#[rocket::async_test]
async fn while_trello_is_down_the_last_list_is_shown_with_its_age_and_writes_are_refused() {
    let fake = Fake::start().await;
    let app = fake.app().await;
    app.post("/items", &[("title", "Seen before")]).await.is(303);
    app.get("/").await.shows("Seen before").hides("does not answer");
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    fake.next(vec![Fault::Status(503, "down"); 100]);
    app.get("/").await.is(200).shows("Seen before").shows("Trello does not answer. This is the list of");
    app.get("/health/ready").await.is(503);
    app.post("/items", &[("title", "Not now")]).await.is(503).shows("cannot be reached");
    fake.board.faults.lock().unwrap().clear();
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    app.get("/").await.is(200).hides("does not answer");
    app.get("/health/ready").await.is(200);
}

#[rocket::async_test]
async fn a_slow_trello_does_not_hold_a_page_for_ever() {
    let fake = Fake::start().await;
    let app = fake.app().await;
    fake.next(vec![Fault::Slow(Duration::from_secs(20)); 10]);
    let started = Instant::now();
    let pages = rocket::futures::future::join_all((0..10).map(|_| app.get("/"))).await;
    assert!(pages.iter().all(|page| page.status == 503));
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[rocket::async_test]
async fn half_an_answer_is_none() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = connection.read(&mut request).await;
            let half = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n[{\"id\":";
            let _ = connection.write_all(half).await;
        }
    });
    let access = Access { url, ..Fake::start().await.access() };
    let error = Trello::open(&access).await.unwrap_err().to_string();
    assert!(error.contains("no answer of Trello's that makes sense"), "{error}");
}

#[rocket::async_test]
async fn no_output_of_a_run_that_fails_shows_a_credential() {
    let (fake, folder) = (Fake::start().await, tempfile::tempdir().unwrap());
    let mut starts = command(folder.path());
    starts
        .env("DATABASE_URL", secrecy::ExposeSecret::expose_secret(&sqlite(folder.path())))
        .env("TRELLO_BOARD_ID", BOARD)
        .env("TRELLO_API_KEY", KEY)
        .env("TRELLO_API_TOKEN", TOKEN)
        .env("TRELLO_URL", &fake.url)
        .env("RUST_LOG", "trace,hyper_util=trace,reqwest=trace");
    let server = Server::start_with(starts);
    let client = client();
    let mut said = String::new();
    for faults in [vec![], vec![Fault::Status(401, "invalid token"); 9], vec![Fault::NotJson; 9]] {
        fake.next(faults);
        for path in ["", "items/5f0000000000000000000002", "api/todos", "health/ready"] {
            said += &client.get(format!("{}/{path}", server.url)).send().await.unwrap().text().await.unwrap();
        }
        let form = client.post(format!("{}/items", server.url)).form(&[("title", "x")]);
        said += &form.send().await.unwrap().text().await.unwrap();
    }
    said += &server.output();
    assert!(said.contains("the board cannot be read"), "{said}");
    said += &format!("{:?} {:?}", fake.access(), Trello::open(&fake.access()).await);
    assert!(!said.contains(TOKEN) && !said.contains(KEY), "{said}");
}

#[rocket::async_test]
async fn undo_reaches_only_cards_of_our_lists() {
    let fake = Fake::start().await;
    let app = fake.app().await;
    let id = fake.board.id();
    let foreign = json!({ "id": id, "name": "Somebody's", "desc": "", "closed": true, "idList": "elsewhere",
        "pos": 1.0, "due": null, "dateLastActivity": Timestamp::now() });
    fake.board.cards.lock().unwrap().push(foreign);
    app.get(&format!("/?undo={id}")).await.is(200).hides("Somebody's");
    app.post(&format!("/deletions/{id}/restore"), &[]).await.is(303);
    assert_eq!(fake.board.cards.lock().unwrap()[0]["closed"], true);
}

#[rocket::async_test]
async fn clearing_that_stops_half_way_tells_what_was_done_and_can_be_undone() {
    let fake = Fake::start().await;
    let app = fake.app().await;
    for title in ["a", "b", "c"] {
        app.has(title, "done").await;
    }
    // The board is read, one card is archived, the next one cannot be.
    let nothing = Fault::Slow(Duration::ZERO);
    fake.next([nothing.clone(), nothing, Fault::Status(400, "no")]);
    let cleared = app.post("/done/clear", &[]).await.is(303);
    let page = app.get(cleared.location()).await.is(200).shows("Deleted “");
    assert_eq!(page.titles("done").len(), 2);
    app.post(&page.action("Undo").unwrap(), &[]).await.is(303);
    assert_eq!(app.get("/").await.titles("done").len(), 3);
}
