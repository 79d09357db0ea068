//! A database and a restore that nobody asked for.

use crate::bindings::strongroom::kv::{kv_sink, kv_store};

pub(super) fn run() -> String {
    let store = kv_store::open("app").err().map_or("ESCAPED".to_owned(), |e| e.message);
    let sink = kv_sink::create("app", &[]).err().map_or("ESCAPED".to_owned(), |e| e.message);
    format!("{store}; {sink}")
}
