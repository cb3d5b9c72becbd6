//! The log: one line a request, a span around everything that a request does, and panics and
//! Rocket's own messages through the same pipe.

use std::fmt;
use std::io::{BufWriter, IsTerminal, stdout};
use std::str::FromStr;
use std::time::Instant;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::route::{Handler, Outcome};
use rocket::{Data, Request, Response, Route, async_trait};
use tracing::Instrument;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use uuid::Uuid;

/// What is logged unless `RUST_LOG` says otherwise. Left out is what Rocket says of a launch and of
/// each request, since we say it too; its error that a body broke off, which is the client's doing; and
/// what its generated code (`…::_`) says of a form that it refuses: that would show what a person typed.
pub const DEFAULT_FILTER: &str = "info,rocket=warn,rocket::server=off,rocket::launch=off,rocket::data=off,\
                                  todo_app::pages::_=off,todo_app::api::_=off";

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

impl FromStr for Format {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(()),
        }
    }
}

/// Starts the log, on standard output. To be called once, before Rocket is built: it starts a
/// log of its own where it finds none.
///
/// Lines that are not written yet are, when what this returns is dropped. In an optimised build a thread of
/// its own writes them, many at once if there are many: a container's engine reads each write by itself, which
/// cost a third of a busy server's time. A debugger stops that thread, too, so that other builds write at once.
#[must_use]
pub fn start(filter: &str, format: Format) -> Option<WorkerGuard> {
    let (writer, guard) = if cfg!(debug_assertions) {
        (BoxMakeWriter::new(stdout), None)
    } else {
        let (writer, guard) =
            NonBlockingBuilder::default().lossy(false).buffered_lines_limit(1_000).finish(BufWriter::new(stdout()));
        (BoxMakeWriter::new(writer), Some(guard))
    };
    let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_writer(writer);
    match format {
        Format::Text => log.with_ansi(stdout().is_terminal()).init(),
        Format::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!(location = panic.location().map(tracing::field::display), %backtrace, "panic: {}",
            panic.payload_as_str().unwrap_or("(no message)"));
    }));
    guard
}

/// Names a request in the log, on error pages and in the `X-Request-Id` header: the one that a
/// proxy gave, or a new one.
#[derive(Debug, Clone)]
pub struct RequestId(String);

impl RequestId {
    /// The id of this request.
    pub fn of<'r>(request: &'r Request<'_>) -> &'r Self {
        request.local_cache(|| {
            let given = request.headers().get_one("X-Request-Id").filter(|id| {
                (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            });
            Self(given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned))
        })
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When a request came.
struct Started(Instant);

/// Logs a line a request.
pub struct RequestLog;

#[async_trait]
impl Fairing for RequestLog {
    fn info(&self) -> Info {
        Info { name: "Request log", kind: Kind::Request | Kind::Response }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        request.local_cache(|| Started(Instant::now()));
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        if request.uri().path().starts_with(crate::development::BASE) {
            return; // open pages ask all the time
        }
        let id = RequestId::of(request);
        response.set_raw_header("X-Request-Id", id.to_string());
        let started = request.local_cache(|| Started(Instant::now()));
        // The route's pattern and not the path: a search is somebody's text.
        let route = request.route().map_or("none", |route| route.uri.as_str());
        let ms = started.0.elapsed().as_micros() as f64 / 1e3;
        tracing::info!(%id, method = %request.method(), route, status = response.status().code, ms, "request");
    }
}

/// The same routes, each with a span around its guards, its handler and the store's calls.
pub fn in_spans(routes: Vec<Route>) -> Vec<Route> {
    let in_span = |mut route: Route| {
        route.handler = Box::new(InSpan(route.handler));
        route
    };
    routes.into_iter().map(in_span).collect()
}

#[derive(Clone)]
struct InSpan(Box<dyn Handler>);

#[async_trait]
impl Handler for InSpan {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        let span = tracing::info_span!("request", id = %RequestId::of(request));
        self.0.handle(request, data).instrument(span).await
    }
}
