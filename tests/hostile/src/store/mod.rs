//! Attacks on the store that the plugin reads.

use crate::attacks::attacks;
use crate::bindings::strongroom::kv::kv_store::{self, Bytes, Error, Store};

/// What came of something that must not work.
fn refused<T>(what: &str, result: Result<T, Error>) -> String {
    match result {
        Ok(_) => format!("ESCAPED: {what}"),
        Err(e) => {
            let message: String = e.message.chars().take(90).collect();
            format!("{what}: {}: {message}", code(e.code))
        }
    }
}

fn code(code: kv_store::ErrorCode) -> String {
    format!("{code:?}").trim_start_matches("ErrorCode::").to_owned()
}

fn open() -> Store {
    kv_store::open("app").unwrap_or_else(|e| panic!("{}", e.message))
}

fn scan(store: &Store) -> Bytes {
    store.scan("accounts", None, None).unwrap_or_else(|e| panic!("{}", e.message))
}

attacks![
    stores_never_dropped,
    cursors_never_dropped,
    read_nothing,
    read_four_gib,
    impossible_names,
    a_name_of_ten_megabytes,
    a_mark_of_forty_megabytes,
    use_after_drop,
    trap_in_a_host_call,
    endless_reading,
];
