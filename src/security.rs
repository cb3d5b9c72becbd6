//! What keeps other sites out of somebody's list.

use std::net::IpAddr;
use std::time::Duration;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::{Header, Status as Http};
use rocket::request::{FromRequest, Outcome};
use rocket::shield::{Frame, NoSniff, Policy, Referrer, Shield};
use rocket::{Request, Response, async_trait};

use crate::error::Failure;

/// The sites, besides our own, whose pages may use the API (`https://example.org`).
#[derive(Debug, Clone, Default)]
pub struct CorsOrigins(pub Vec<String>);

impl CorsOrigins {
    /// The request's origin, if it is one of these.
    fn allows<'r>(&self, request: &'r Request<'_>) -> Option<&'r str> {
        let origin = request.headers().get_one("Origin")?;
        let is_api = request.uri().path().segments().get(0) == Some("api");
        (is_api && self.0.iter().any(|allowed| allowed == origin)).then_some(origin)
    }

    fn of<'r>(request: &'r Request<'_>) -> Option<&'r Self> {
        request.rocket().state()
    }
}

/// Guards every route that changes something: a browser must say that the request comes from
/// our own pages, or from a site in [`CorsOrigins`]. Programs that are no browsers send neither
/// header, and hold no cookie that another site could abuse.
pub struct SameOrigin(());

#[async_trait]
impl<'r> FromRequest<'r> for SameOrigin {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let header = |name| request.headers().get_one(name);
        let ours = match (header("Sec-Fetch-Site"), header("Origin")) {
            (Some(site), _) => matches!(site, "same-origin" | "none"),
            (None, Some(origin)) => origin.split_once("://").is_some_and(|(_, host)| header("Host") == Some(host)),
            (None, None) => true,
        };
        if ours || CorsOrigins::of(request).is_some_and(|origins| origins.allows(request).is_some()) {
            return Outcome::Success(Self(()));
        }
        let refused = Failure::new(Http::Forbidden, "Only this site's own pages may change the list.");
        Outcome::Error((refused.remember(request), ()))
    }
}

/// Refuses a request that calls this machine by another name. An app that listens on a loopback address is
/// called `localhost` or so; a page whose site's name was turned to lead here (DNS rebinding) would be one of
/// ours to a browser.
///
/// # Errors
/// What to answer instead.
pub fn is_called_locally(request: &Request<'_>) -> Result<(), Failure> {
    let is_local = match request.host() {
        Some(host) => is_local(host.domain().as_str()),
        // No browser leaves out the host, but one that Rocket cannot read (`a{.example`) is none to it either.
        None => !request.headers().contains("Host"),
    };
    let refused = || Failure::new(Http::MisdirectedRequest, "This list is at localhost or 127.0.0.1 only.");
    is_local.then_some(()).ok_or_else(refused)
}

fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let name = host.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Tells browsers that the pages of [`CorsOrigins`] may use the API.
pub struct Cors;

#[async_trait]
impl Fairing for Cors {
    fn info(&self) -> Info {
        Info { name: "CORS", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let Some(origins) = CorsOrigins::of(request).filter(|origins| !origins.0.is_empty()) else { return };
        response.adjoin_raw_header("Vary", "Origin");
        if let Some(origin) = origins.allows(request) {
            response.set_raw_header("Access-Control-Allow-Origin", origin.to_owned());
            response.set_raw_header("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE");
            response.set_raw_header("Access-Control-Allow-Headers", "Authorization, Content-Type");
            response.set_raw_header("Access-Control-Expose-Headers", "Location, X-Request-Id");
            response.set_raw_header("Access-Control-Max-Age", Duration::from_hours(1).as_secs().to_string());
        }
    }
}

/// Pages use nothing but this site's own files, and are in no other site's frame.
#[derive(Default)]
struct ContentSecurityPolicy;

impl Policy for ContentSecurityPolicy {
    const NAME: &'static str = "Content-Security-Policy";

    fn header(&self) -> Header<'static> {
        let policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
        Header::new(Self::NAME, policy)
    }
}

/// Security headers on every answer.
pub fn shield() -> Shield {
    // `no-referrer` would make browsers send `Origin: null` with our own forms.
    Shield::new().enable(NoSniff::Enable).enable(Frame::Deny).enable(Referrer::SameOrigin).enable(ContentSecurityPolicy)
}
