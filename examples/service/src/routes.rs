//! The service's addresses.
//!
//! | | |
//! |---|---|
//! | `GET`, `PUT`, `DELETE /pairs/KEY` | the data |
//! | `POST /db/backup` | begins a backup: 202 and where to ask about it; 409 if one runs |
//! | `GET /db/backup/ID` | how far it is, or what became of it |
//! | `GET /metrics` | for Prometheus |
//!
//! `/db/backup` wants `Authorization: Bearer BACKUP_TOKEN`, `/pairs` the same with `PAIRS_TOKEN` if there is one. A request
//! must name a host that the service is known by: a web page that has its own name lead here (DNS rebinding) is refused.
//! Nothing of a request becomes a path or a name.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use crate::backups::{Backups, Busy};
use crate::metrics;
use crate::pairs::Pairs;

/// From the end of a request's head to its answer, the body included.
const REQUEST: Duration = Duration::from_secs(30);

/// Of the tokens: hashes of equal length, which are compared in constant time.
#[derive(Clone)]
pub(crate) struct Tokens {
    /// Without it nobody may ask for a backup.
    pub(crate) backup: Option<blake3::Hash>,
    /// Without it everybody who can reach the service may read and change the data.
    pub(crate) pairs: Option<blake3::Hash>,
}

impl Tokens {
    pub(crate) fn new(backup: Option<&str>, pairs: Option<&str>) -> Self {
        let hash = |token: &str| blake3::hash(token.as_bytes());
        Self { backup: backup.map(hash), pairs: pairs.map(hash) }
    }
}

#[derive(Clone)]
pub(crate) struct App {
    pairs: Arc<Pairs>,
    backups: Arc<Backups>,
    tokens: Tokens,
    hosts: Arc<[String]>,
}

impl App {
    pub(crate) fn new(pairs: Arc<Pairs>, backups: Arc<Backups>, tokens: Tokens, hosts: Vec<String>) -> Self {
        Self { pairs, backups, tokens, hosts: hosts.into() }
    }

    /// Whether the service is known by the name in this header. An address is nobody's name.
    fn knows(&self, headers: &HeaderMap) -> bool {
        let Some(Ok(Ok(host))) =
            headers.get(header::HOST).map(|host| host.to_str().map(str::parse::<Authority>))
        else {
            return false;
        };
        let name = host.host();
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost")
            || address.parse::<IpAddr>().is_ok()
            || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// Whether this token was given.
fn given(headers: &HeaderMap, token: blake3::Hash) -> bool {
    let given =
        headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    given.is_some_and(|given| token == blake3::hash(given))
}

pub(crate) fn router(app: App) -> Router {
    let backups = Router::new()
        .route("/db/backup", post(back_up))
        .route("/db/backup/{id}", get(status))
        .route_layer(from_fn_with_state(app.clone(), guard_backups));
    let pairs = Router::new()
        .route("/pairs/{key}", get(read).put(write).delete(remove))
        .route_layer(from_fn_with_state(app.clone(), guard_pairs));
    Router::new()
        .route("/metrics", get(measure))
        .merge(backups)
        .merge(pairs)
        .layer(from_fn_with_state(app.clone(), limit))
        .with_state(app)
}

/// What holds for every request.
async fn limit(State(app): State<App>, request: Request, next: Next) -> Response {
    if !app.knows(request.headers()) {
        let message = json!({"error": "the service is not known by this Host; name it in HOSTS"});
        return (StatusCode::MISDIRECTED_REQUEST, Json(message)).into_response();
    }
    match tokio::time::timeout(REQUEST, next.run(request)).await {
        Ok(answer) => answer,
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

async fn guard_backups(State(app): State<App>, request: Request, next: Next) -> Response {
    match app.tokens.backup {
        Some(token) if given(request.headers(), token) => next.run(request).await,
        _ => refused(),
    }
}

async fn guard_pairs(State(app): State<App>, request: Request, next: Next) -> Response {
    match app.tokens.pairs {
        Some(token) if !given(request.headers(), token) => refused(),
        _ => next.run(request).await,
    }
}

fn refused() -> Response {
    let message = json!({"error": "this needs the header `Authorization: Bearer TOKEN`"});
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], Json(message)).into_response()
}

async fn back_up(State(app): State<App>) -> Response {
    let place = |id| format!("/db/backup/{id}");
    match app.backups.start("request") {
        Ok(id) => {
            let body = Json(json!({"id": id, "status": place(id)}));
            (StatusCode::ACCEPTED, [(header::LOCATION, place(id))], body).into_response()
        }
        Err(Busy::Running(id)) => {
            let body = Json(json!({"error": "a backup runs already", "id": id, "status": place(id)}));
            (StatusCode::CONFLICT, [(header::LOCATION, place(id))], body).into_response()
        }
        Err(Busy::Ending) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"error": "the service ends"}))).into_response()
        }
    }
}

async fn status(State(app): State<App>, Path(id): Path<u64>) -> Response {
    match app.backups.status(id) {
        Some(status) => Json(status).into_response(),
        None => (StatusCode::NOT_FOUND, Json(json!({"error": "no such backup"}))).into_response(),
    }
}

async fn measure(State(app): State<App>) -> Response {
    let text = metrics::text(&app.pairs, &app.backups);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

async fn read(State(app): State<App>, Path(key): Path<String>) -> Response {
    match on_thread(move || app.pairs.get(&key)).await {
        Ok(Some(value)) => value.into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(failed) => failed,
    }
}

async fn write(State(app): State<App>, Path(key): Path<String>, value: Bytes) -> Response {
    match on_thread(move || app.pairs.put(&key, Some(&value))).await {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => StatusCode::CREATED.into_response(),
        Err(failed) => failed,
    }
}

async fn remove(State(app): State<App>, Path(key): Path<String>) -> Response {
    match on_thread(move || app.pairs.put(&key, None)).await {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => StatusCode::NOT_FOUND.into_response(),
        Err(failed) => failed,
    }
}

/// redb blocks, so it has threads of its own.
async fn on_thread<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, redb::Error> + Send + 'static,
) -> Result<T, Response> {
    let failed = |e: String| {
        eprintln!("{e}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    };
    match tokio::task::spawn_blocking(act).await {
        Ok(done) => done.map_err(|e| failed(e.to_string())),
        Err(e) => Err(failed(e.to_string())),
    }
}
