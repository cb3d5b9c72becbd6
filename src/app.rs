//! Puts the app together: its routes, its fairings, its store.

use std::sync::Arc;
use std::time::Duration;

use rocket::fairing::AdHoc;
use rocket::fs::{FileServer, Options};
use rocket::http::{Method, Status as Http};
use rocket::route::{Handler, Outcome};
use rocket::{Build, Data, Request, Response, Rocket, Route, async_trait};
use rocket_dyn_templates::Template;
use rocket_dyn_templates::minijinja::UndefinedBehavior;

use crate::config::{Config, is_development};
use crate::development::Followed;
use crate::error::Failure;
use crate::login::Login;
use crate::store::Store;
use crate::{api, development, error, health, log, pages, security};

/// The store that the environment names.
pub type AnyStore = Arc<dyn Store>;

/// The app, ready to launch.
pub fn rocket(config: &Config, store: AnyStore) -> Rocket<Build> {
    let is_open = config.login.is_none();
    let guards = Arc::new(Guards {
        // Behind a login, a proxy on this machine may call it by a public name: a rebound page has no password.
        is_local: config.rocket.address.is_loopback() && is_open,
        login: config.login.clone().map(Login::new),
    });
    let is_development = is_development(&config.rocket);
    let static_folder = config.assets.join("static");
    let mut mounts = vec![
        ("/", pages::routes()),
        (api::BASE, api::routes()),
        (health::BASE, health::routes()),
        ("/static", FileServer::new(&static_folder, Options::None).into()),
    ];
    if is_development {
        mounts.push((development::BASE, development::routes()));
    }
    let templates = pages::Templates::default();
    let mut rocket = rocket::custom(config.figment())
        .manage(store)
        .manage(pages::ListPages::default())
        .manage(templates.clone())
        .manage(config.cors_origins.clone())
        .manage(Followed([config.assets.join("templates"), static_folder]))
        .register("/", error::pages())
        .register(api::BASE, error::problems());
    for (base, routes) in mounts {
        let other_methods = other_methods(&routes);
        // Orchestrators have no password, and call it as they like.
        let routes = if base == health::BASE { routes } else { guarded(routes, &guards) };
        rocket = rocket.mount(base, log::in_spans(routes)).mount(base, other_methods);
    }
    rocket
        .attach(Template::custom(move |engines| {
            engines.minijinja.add_global("development", is_development);
            // A line that has nothing but a tag leaves nothing.
            engines.minijinja.set_trim_blocks(true);
            engines.minijinja.set_lstrip_blocks(true);
            // A misspelt name in a template is an error, not an empty text.
            engines.minijinja.set_undefined_behavior(UndefinedBehavior::Strict);
            templates.set(&engines.minijinja);
        }))
        .attach(security::shield())
        .attach(security::Cors)
        .attach(log::RequestLog)
        .attach(AdHoc::on_response("Headers of refusals", |request, response| {
            Box::pin(async { refusal_headers(request, response) })
        }))
        .attach(AdHoc::on_liftoff("Listening", move |rocket| {
            Box::pin(async move {
                let rocket::Config { address, port, .. } = rocket.config();
                tracing::info!("listening on http://{}", std::net::SocketAddr::new(*address, *port));
                if is_open && !address.is_loopback() {
                    tracing::warn!(
                        "no login is set (LOGIN_HASH): whoever reaches {address} can read and change the list"
                    );
                }
            })
        }))
        .attach(AdHoc::on_shutdown("Idle connections", |_| {
            // Rocket looks once whether connections are left and, if so, waits for its whole
            // grace period: idle ones get this long to be closed before it looks.
            Box::pin(rocket::tokio::time::sleep(Duration::from_millis(50)))
        }))
}

/// What a request has to pass before its route.
struct Guards {
    is_local: bool,
    login: Option<Login>,
}

impl Guards {
    async fn pass(&self, request: &Request<'_>, data: &mut Data<'_>) -> Result<(), Failure> {
        if self.is_local {
            security::is_called_locally(request)?;
        }
        if let Some(login) = &self.login {
            login.check(request).await?;
        }
        // Rocket looks at the start of each body for `_method` and, should it break off there, hands on what came
        // as if it were the whole: fewer bytes than it looked for, and not since the body ended.
        const LOOKED_AT: usize = "_method=delete".len();
        if !data.peek_complete() && data.peek(LOOKED_AT).await.len() < LOOKED_AT {
            return Err(Failure::new(Http::BadRequest, "The body ended early."));
        }
        Ok(())
    }
}

/// The same routes behind the guards.
fn guarded(routes: Vec<Route>, guards: &Arc<Guards>) -> Vec<Route> {
    let guarded = |mut route: Route| {
        route.handler = Box::new(Guarded(Arc::clone(guards), route.handler));
        route
    };
    routes.into_iter().map(guarded).collect()
}

#[derive(Clone)]
struct Guarded(Arc<Guards>, Box<dyn Handler>);

#[async_trait]
impl Handler for Guarded {
    async fn handle<'r>(&self, request: &'r Request<'_>, mut data: Data<'r>) -> Outcome<'r> {
        match self.0.pass(request, &mut data).await {
            Ok(()) => self.1.handle(request, data).await,
            Err(failure) => Outcome::Error(failure.remember(request)),
        }
    }
}

/// Headers that a refusal owes: how to log in (401), which methods are taken (405), in how many seconds to
/// try again (429, 503).
fn refusal_headers(request: &Request<'_>, response: &mut Response<'_>) {
    match response.status() {
        Http::Unauthorized => response.set_raw_header("WWW-Authenticate", "Basic realm=\"To-Do\", charset=\"UTF-8\""),
        Http::TooManyRequests => response.set_raw_header("Retry-After", "1"),
        Http::ServiceUnavailable => response.set_raw_header("Retry-After", "5"),
        _ => false,
    };
    if let Some(Allow(methods)) = request.local_cache(|| None::<Allow>) {
        response.set_raw_header("Allow", methods.clone());
    }
}

/// The methods that an address takes, as the `Allow` header names them.
struct Allow(String);

/// Routes for the methods that an address does not take, tried last: `OPTIONS` is answered, the
/// others get 405. An address whose parameters did not fit gets 404.
fn other_methods(routes: &[Route]) -> Vec<Route> {
    use Method::{Delete, Get, Head, Options, Patch, Post, Put, Trace};
    let mut paths: Vec<_> = routes.iter().map(|route| route.uri.path()).collect();
    paths.sort_unstable();
    paths.dedup();
    let of_path = |path: &str| {
        let taken: Vec<_> = routes.iter().filter(|r| r.uri.path() == path).map(|r| r.method).collect();
        let fallback = OtherMethods(taken.clone());
        [Get, Post, Put, Patch, Delete, Options, Head, Trace]
            .into_iter()
            // Rocket answers HEAD where there is a GET.
            .filter(|method| *method != Head || !taken.contains(&Get))
            .map(|method| Route::ranked(100, method, path, fallback.clone()))
            .collect::<Vec<_>>()
    };
    paths.into_iter().flat_map(of_path).collect()
}

#[derive(Clone)]
struct OtherMethods(Vec<Method>);

#[async_trait]
impl Handler for OtherMethods {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        if self.0.contains(&request.method()) {
            return Outcome::Error(Http::NotFound);
        }
        let mut methods: Vec<_> = self.0.iter().map(|method| method.as_str()).collect();
        methods.push("OPTIONS");
        request.local_cache(|| Some(Allow(methods.join(", "))));
        match request.method() {
            Method::Options => Outcome::from(request, Http::NoContent),
            _ => Outcome::Error(Http::MethodNotAllowed),
        }
    }
}
