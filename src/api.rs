//! The JSON API: the public Todo-Backend contract (<https://todobackend.com>) with fields of our
//! own, described by the OpenAPI document at `/api/openapi.json`.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use rocket::data::{self, Data, FromData, ToByteUnit};
use rocket::http::{ContentType, Status as Http};
use rocket::request::{FromRequest, Outcome, Request};
use rocket::response::status::{Created, NoContent};
use rocket::response::stream::TextStream;
use rocket::serde::json::{Json, serde_json};
use rocket::{Route, State, async_trait, delete, get, patch, post, routes, uri};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::{IntoParams, IntoResponses, OpenApi, ToSchema};

use crate::app::AnyStore;
use crate::error::{Failure, Problem};
use crate::item::{Changes, Description, Item, ItemId, NewItem, Position, Status, Title, parse_day};
use crate::security::SameOrigin;
use crate::store::Which;

/// Where the API is mounted.
pub const BASE: &str = "/api";

/// How many items are read at once to answer all of them, and the most that `limit` takes.
const CHUNK: u32 = 1_000;

/// The largest position, either way: doubles near it still tell thousands of fractions apart.
const ORDER_MAX: f64 = 1e12;

/// An item.
#[derive(Debug, Serialize, ToSchema)]
struct Todo {
    /// Its own absolute address.
    url: String,
    id: String,
    title: String,
    description: String,
    /// A calendar date, or null.
    #[schema(value_type = Option<String>, format = Date)]
    due: Option<Date>,
    status: Status,
    /// Whether its status is `done`.
    completed: bool,
    /// Its position: items are listed from the lowest to the highest.
    #[serde(serialize_with = "whole_if_possible")]
    order: f64,
    #[schema(value_type = String, format = DateTime)]
    created: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    changed: Timestamp,
}

/// An item to add.
#[derive(Debug, Deserialize, ToSchema)]
struct NewTodo {
    /// 1 to 200 characters after trimming, none of them invisible.
    #[schema(
        pattern = r"^\s*[^\s\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffd]([^\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffd]{0,198}[^\s\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffd])?\s*$"
    )]
    title: String,
    /// Up to 5,000 characters after trimming; line breaks and tabs may be among them.
    #[schema(pattern = r"^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffd]{0,5000}$")]
    description: Option<String>,
    /// A calendar date.
    #[schema(format = Date, min_length = 10, max_length = 10)]
    due: Option<String>,
    /// `todo` without one.
    status: Option<Status>,
    /// Where no status is given: true is `done`, false is not.
    completed: Option<bool>,
    /// Its position; without one it goes on top.
    #[schema(minimum = -1e12, maximum = 1e12)]
    order: Option<f64>,
}

/// What to change of an item; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
struct TodoChanges {
    /// 1 to 200 characters after trimming, none of them invisible.
    #[schema(
        nullable = false,
        pattern = r"^\s*[^\s\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffd]([^\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffd]{0,198}[^\s\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffd])?\s*$"
    )]
    #[serde(default, deserialize_with = "given")]
    title: Option<String>,
    /// Up to 5,000 characters after trimming; line breaks and tabs may be among them.
    #[schema(
        nullable = false,
        pattern = r"^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffd]{0,5000}$"
    )]
    #[serde(default, deserialize_with = "given")]
    description: Option<String>,
    /// A calendar date; null takes it away.
    #[schema(value_type = Option<String>, format = Date, min_length = 10, max_length = 10)]
    #[serde(default, deserialize_with = "given")]
    due: Option<Option<String>>,
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    status: Option<Status>,
    /// Where no status is given: true is `done`, false is not.
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    completed: Option<bool>,
    /// Its position.
    #[schema(nullable = false, minimum = -1e12, maximum = 1e12)]
    #[serde(default, deserialize_with = "given")]
    order: Option<f64>,
}

/// Tells a field that is null from one that is left out.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Writes whole numbers without a fraction, as clients expect an order.
fn whole_if_possible<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.fract() == 0.0 && number.abs() <= ORDER_MAX {
        serializer.serialize_i64(*number as i64)
    } else {
        serializer.serialize_f64(*number)
    }
}

/// How a request is refused.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only describes what the catcher answers")]
enum Refused {
    /// The body is not JSON.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(Problem),
    /// The request comes from another site's page.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// There is no such item.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// The address does not take that method; `Allow` says which it takes.
    #[response(status = 405, content_type = "application/problem+json")]
    MethodNotAllowed(Problem),
    /// The body is larger than any item.
    #[response(status = 413, content_type = "application/problem+json")]
    PayloadTooLarge(Problem),
    /// The body's `Content-Type` is not `application/json`.
    #[response(status = 415, content_type = "application/problem+json")]
    UnsupportedMediaType(Problem),
    /// A field or a parameter is not what it should be.
    #[response(status = 422, content_type = "application/problem+json")]
    UnprocessableEntity(Problem),
    /// The store does not answer; `Retry-After` says when to try again.
    #[response(status = 503, content_type = "application/problem+json")]
    ServiceUnavailable(Problem),
}

impl Todo {
    fn new(item: Item, site: &Site) -> Self {
        Self {
            url: site.url(&item.id),
            id: item.id.to_string(),
            title: item.title.to_string(),
            description: item.description.to_string(),
            due: item.due,
            status: item.status,
            completed: item.status == Status::Done,
            order: item.position,
            created: item.created,
            changed: item.changed,
        }
    }
}

/// A field's value that cannot be kept, said with the field's name.
fn unprocessable(sentence: impl std::fmt::Display) -> Failure {
    Failure::new(Http::UnprocessableEntity, sentence)
}

fn order(order: f64) -> Result<f64, Failure> {
    let fits = order.abs() <= ORDER_MAX;
    fits.then_some(order).ok_or_else(|| unprocessable("An order is a number from -1e12 to 1e12."))
}

/// The status that the two fields together mean, for an item that has the status `now`.
fn status(status: Option<Status>, completed: Option<bool>, now: Status) -> Status {
    match (status, completed) {
        (Some(status), _) => status,
        (None, Some(true)) => Status::Done,
        (None, Some(false)) if now == Status::Done => Status::Todo,
        (None, _) => now,
    }
}

/// Which items to list.
#[derive(Debug, rocket::FromForm, IntoParams)]
#[into_params(parameter_in = Query)]
struct Listing<'r> {
    /// At most this many items; all without it.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Vec<&'r str>,
    /// Only the items after the one with this id.
    #[param(value_type = Option<String>, pattern = "^[0-9A-Za-z-]{1,64}$")]
    after: Vec<&'r str>,
}

impl Listing<'_> {
    fn parse(&self) -> Result<(Option<u32>, Option<ItemId>), Failure> {
        let limit = once(&self.limit).filter(|limit| limit.is_none_or(|limit| (1..=CHUNK).contains(&limit)));
        let limit = limit.ok_or_else(|| unprocessable("`limit` is a number from 1 to 1000."))?;
        let after = once(&self.after).ok_or_else(|| unprocessable("`after` is the id of an item."))?;
        Ok((limit, after))
    }
}

/// The value of a parameter that is given once or not at all; none if it is given otherwise.
fn once<T: FromStr>(values: &[&str]) -> Option<Option<T>> {
    match values {
        [] => Some(None),
        [text] => text.parse().ok().map(Some),
        _ => None,
    }
}

/// Lists the items by `order`: all of them, or a part.
#[utoipa::path(context_path = BASE, params(Listing), responses((status = 200, body = [Todo]), Refused))]
#[get("/todos?<listing..>")]
async fn list(
    store: &State<AnyStore>,
    site: Site,
    listing: Listing<'_>,
) -> Result<(ContentType, TextStream![String]), Failure> {
    let (limit, after) = listing.parse()?;
    let mut chunk = store.list(after.as_ref(), limit.unwrap_or(CHUNK)).await?;
    let store = AnyStore::clone(store);
    // In chunks, so that memory holds a thousand items and not all.
    let stream = TextStream! {
        let mut separator = '[';
        loop {
            let is_last = limit.is_some() || chunk.len() < CHUNK as usize;
            let last = chunk.last().map(|item| item.id.clone());
            for item in chunk {
                // A text, a number or a date cannot fail to be JSON.
                let todo = serde_json::to_string(&Todo::new(item, &site)).unwrap_or_default();
                yield format!("{separator}{todo}");
                separator = ',';
            }
            if is_last { break; }
            chunk = match store.list(last.as_ref(), CHUNK).await {
                Ok(chunk) => chunk,
                Err(error) => {
                    // The status is sent; without its end the list does not pass for whole.
                    tracing::error!(%error, "a list was cut short");
                    return;
                }
            };
        }
        yield if separator == '[' { "[]".to_owned() } else { "]".to_owned() };
    };
    Ok((ContentType::JSON, stream))
}

/// Adds an item.
#[utoipa::path(
    context_path = BASE,
    request_body = NewTodo,
    responses((status = 201, body = Todo, headers(("Location" = String, description = "Its address"))), Refused)
)]
#[post("/todos", data = "<new>")]
async fn add(
    _ours: SameOrigin,
    store: &State<AnyStore>,
    site: Site,
    new: JsonBody<NewTodo>,
) -> Result<Created<Json<Todo>>, Failure> {
    let new = new.0;
    let item = NewItem {
        title: Title::parse(&new.title).map_err(unprocessable)?,
        description: Description::parse(&new.description.unwrap_or_default()).map_err(unprocessable)?,
        due: new.due.as_deref().map(parse_day).transpose().map_err(unprocessable)?,
        status: status(new.status, new.completed, Status::Todo),
        position: new.order.map(order).transpose()?,
    };
    let todo = Todo::new(store.add(item).await?, &site);
    Ok(Created::new(todo.url.clone()).body(Json(todo)))
}

/// Deletes all items.
#[utoipa::path(context_path = BASE, responses((status = 204), Refused))]
#[delete("/todos")]
async fn delete_all(_ours: SameOrigin, store: &State<AnyStore>) -> Result<NoContent, Failure> {
    store.delete(Which::All).await?;
    Ok(NoContent)
}

/// Gives one item.
#[utoipa::path(context_path = BASE, params(("id" = String, Path)), responses((status = 200, body = Todo), Refused))]
#[get("/todos/<id>")]
async fn get_one(store: &State<AnyStore>, site: Site, id: ItemId) -> Result<Json<Todo>, Failure> {
    Ok(Json(Todo::new(store.get(&id).await?, &site)))
}

/// Changes the given fields of an item.
#[utoipa::path(
    context_path = BASE,
    params(("id" = String, Path)),
    request_body = TodoChanges,
    responses((status = 200, body = Todo), Refused)
)]
#[patch("/todos/<id>", data = "<changes>")]
async fn change(
    _ours: SameOrigin,
    store: &State<AnyStore>,
    site: Site,
    id: ItemId,
    changes: JsonBody<TodoChanges>,
) -> Result<Json<Todo>, Failure> {
    let changes = changes.0;
    let new_status = match (changes.status, changes.completed) {
        (None, None) => None,
        (given, completed) => Some(status(given, completed, store.get(&id).await?.status)),
    };
    let changes = Changes {
        title: changes.title.map(|title| Title::parse(&title)).transpose().map_err(unprocessable)?,
        description: changes.description.map(|text| Description::parse(&text)).transpose().map_err(unprocessable)?,
        due: changes.due.map(|day| day.as_deref().map(parse_day).transpose()).transpose().map_err(unprocessable)?,
        status: new_status,
        position: changes.order.map(order).transpose()?.map(Position::At),
    };
    Ok(Json(Todo::new(store.update(&id, changes, None).await?, &site)))
}

/// Deletes one item.
#[utoipa::path(context_path = BASE, params(("id" = String, Path)), responses((status = 204), Refused))]
#[delete("/todos/<id>")]
async fn delete_one(_ours: SameOrigin, store: &State<AnyStore>, id: ItemId) -> Result<NoContent, Failure> {
    store.delete(Which::One(&id)).await?;
    Ok(NoContent)
}

#[derive(OpenApi)]
#[openapi(
    info(title = "todo-app", description = "A to-do list: the Todo-Backend contract with some fields more."),
    paths(list, add, delete_all, get_one, change, delete_one)
)]
struct ApiDocument;

/// The OpenAPI document of these routes.
#[get("/openapi.json")]
fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(ApiDocument::openapi())
}

/// The routes to mount at [`BASE`].
pub fn routes() -> Vec<Route> {
    routes![list, add, delete_all, get_one, change, delete_one, openapi]
}

/// Our own address as the client knows it.
#[derive(Debug, Clone)]
struct Site(String);

impl Site {
    fn url(&self, id: &ItemId) -> String {
        format!("{}{}", self.0, uri!("/api", get_one(id)))
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for Site {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        let https = request.headers().get_one("X-Forwarded-Proto") == Some("https");
        let config = request.rocket().config();
        // HTTP/1.0 needs no Host.
        let host = request.host().map_or_else(|| format!("{}:{}", config.address, config.port), ToString::to_string);
        Outcome::Success(Self(format!("{}://{host}", if https { "https" } else { "http" })))
    }
}

/// A body that says that it is JSON, and is.
struct JsonBody<T>(T);

#[async_trait]
impl<'r, T: DeserializeOwned> FromData<'r> for JsonBody<T> {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> data::Outcome<'r, Self> {
        match Self::read(request, data).await {
            Ok(body) => data::Outcome::Success(body),
            Err(failure) => data::Outcome::Error((failure.remember(request), ())),
        }
    }
}

impl<T: DeserializeOwned> JsonBody<T> {
    async fn read(request: &Request<'_>, data: Data<'_>) -> Result<Self, Failure> {
        if !request.content_type().is_some_and(|content_type| content_type.is_json()) {
            return Err(Failure::new(Http::UnsupportedMediaType, "The body must be application/json."));
        }
        let limit = request.limits().get("json").unwrap_or(128.kibibytes());
        let body = data.open(limit).into_bytes().await;
        let body = body.map_err(|e| Failure::new(Http::BadRequest, format_args!("The body ended early: {e}.")))?;
        if !body.is_complete() {
            return Err(Failure::new(Http::PayloadTooLarge, format_args!("A body has at most {limit}.")));
        }
        // Through a map, as serde would take an array for a struct.
        let fields = serde_json::from_slice::<serde_json::Map<_, _>>(&body);
        fields.and_then(|fields| serde_json::from_value(fields.into())).map(Self).map_err(|error| {
            let status = if error.is_data() { Http::UnprocessableEntity } else { Http::BadRequest };
            Failure::new(status, format_args!("The body does not fit: {error}."))
        })
    }
}
