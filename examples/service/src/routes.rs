//! The service's addresses.
//!
//! | | |
//! |---|---|
//! | `GET`, `PUT`, `DELETE /pairs/KEY` | the data |
//! | `POST /db/backup` | begins a backup: 202 and where to ask about it; 409 if one runs |
//! | `GET /db/backup/ID` | how far it is, or what became of it |
//! | `GET /metrics` | for Prometheus |
//!
//! `/db/backup` wants `Authorization: Bearer TOKEN`. Nothing of a request becomes a path or a name.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use crate::backups::{Backups, Busy};
use crate::metrics;
use crate::pairs::Pairs;

#[derive(Clone)]
pub(crate) struct App {
    pairs: Arc<Pairs>,
    backups: Arc<Backups>,
    /// Of the token: hashes of equal length, which are compared in constant time.
    token: Option<blake3::Hash>,
}

impl App {
    pub(crate) fn new(pairs: Arc<Pairs>, backups: Arc<Backups>, token: Option<&str>) -> Self {
        Self { pairs, backups, token: token.map(|token| blake3::hash(token.as_bytes())) }
    }

    fn allows(&self, headers: &HeaderMap) -> bool {
        let given =
            headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        match (self.token, given) {
            (Some(token), Some(given)) => token == blake3::hash(given),
            _ => false,
        }
    }
}

pub(crate) fn router(app: App) -> Router {
    let guarded = Router::new()
        .route("/db/backup", post(back_up))
        .route("/db/backup/{id}", get(status))
        .route_layer(from_fn_with_state(app.clone(), guard));
    Router::new()
        .route("/pairs/{key}", get(read).put(write).delete(remove))
        .route("/metrics", get(measure))
        .merge(guarded)
        .with_state(app)
}

async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    if app.allows(request.headers()) {
        return next.run(request).await;
    }
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
