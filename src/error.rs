//! From what went wrong to what the caller is told: remembered once, logged once, and rendered
//! by a catcher as a page or, below `/api`, as a problem document.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use rocket::http::{ContentType, Status as Http};
use rocket::request::Request;
use rocket::response::{self, Responder};
use rocket::{Catcher, catch, catchers};
use rocket_dyn_templates::{Template, context};
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::is_development;
use crate::log::RequestId;
use crate::store;

/// Why a request was not done.
#[derive(Debug, Clone)]
pub struct Failure {
    status: Http,
    detail: String,
    source: Option<Arc<store::Error>>,
}

impl Failure {
    /// A failure by the caller's doing; `detail` is a sentence for the caller.
    pub fn new(status: Http, detail: impl fmt::Display) -> Self {
        Self { status, detail: detail.to_string(), source: None }
    }

    /// Leaves word for the catcher, which makes the answer, and gives the status to catch.
    pub fn remember(self, request: &Request<'_>) -> Http {
        let source = self.source.as_deref().map(|error| error as &dyn StdError);
        let causes: Vec<_> = std::iter::successors(source, |&e| e.source()).map(ToString::to_string).collect();
        if self.status.code >= 500 {
            tracing::error!(status = self.status.code, ?causes, "{}", self.detail);
        }
        request.local_cache(|| Some(Remembered { detail: self.detail, causes }));
        self.status
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        let (status, detail) = match &error {
            store::Error::NotFound => (Http::NotFound, "There is no such item; it may have been deleted."),
            store::Error::Conflict => (Http::Conflict, "Somebody else changed the item meanwhile."),
            store::Error::Unavailable(_) => (
                Http::ServiceUnavailable,
                "The list cannot be reached at the moment. What you sent was most likely not saved.",
            ),
        };
        Self { status, detail: detail.to_owned(), source: Some(Arc::new(error)) }
    }
}

impl<'r> Responder<'r, 'static> for Failure {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        Err(self.remember(request))
    }
}

/// What a catcher finds of a [`Failure`].
struct Remembered {
    detail: String,
    causes: Vec<String>,
}

/// Why a request was not done, for programs: a problem document of RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the status says it all.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The name of the status.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What was wrong, in a sentence.
    detail: String,
    /// Finds the request in the log.
    request_id: String,
    /// What caused it, in the development profile only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
}

impl Problem {
    fn of(status: Http, request: &Request<'_>) -> Self {
        let remembered = request.local_cache(|| None::<Remembered>).as_ref();
        let causes =
            if is_development(request.rocket().config()) { remembered.map(|r| r.causes.clone()) } else { None };
        Self {
            kind: "about:blank",
            title: status.reason_lossy(),
            status: status.code,
            detail: remembered.map_or_else(|| default_detail(status).to_owned(), |r| r.detail.clone()),
            request_id: RequestId::of(request).to_string(),
            causes: causes.unwrap_or_default(),
        }
    }
}

/// What to say where nobody left word: Rocket itself refused, or a handler panicked.
pub fn default_detail(status: Http) -> &'static str {
    match status.code {
        404 => "There is nothing at this address.",
        405 => "This address does not take that method.",
        413 => "That is more than this address takes.",
        400..500 => "The request could not be understood.",
        _ => "Something went wrong here. Nothing that you did; the log knows more.",
    }
}

#[catch(default)]
fn page(status: Http, request: &Request<'_>) -> Template {
    let Problem { title, status, detail, request_id, causes, .. } = Problem::of(status, request);
    Template::render("error", context! { title, status, message: detail, request_id, chain: causes })
}

#[catch(default)]
fn problem(status: Http, request: &Request<'_>) -> Result<(ContentType, String), Http> {
    let json = rocket::serde::json::serde_json::to_string(&Problem::of(status, request));
    json.map(|json| (ContentType::new("application", "problem+json"), json)).map_err(|_| Http::InternalServerError)
}

/// The catchers to mount at `/`.
pub fn pages() -> Vec<Catcher> {
    catchers![page]
}

/// The catchers to mount at the base of the API.
pub fn problems() -> Vec<Catcher> {
    catchers![problem]
}
