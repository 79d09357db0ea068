//! A panic ends a component at once. redb may panic over a damaged database, so before that happens here, what a host
//! of ours would have said is said, and the lock is taken away.

use std::io::Write as _;

use strongroom_store::redb::is_contained;

use crate::{directory, listener, sink};

/// The exit codes for damage, and for whatever else.
const DAMAGED: u8 = 12;
const FAILED: u8 = 1;

/// Listens to panics from here on.
pub(crate) fn listen() {
    std::panic::set_hook(Box::new(|info| {
        let why = info.payload_as_str().unwrap_or("it did not say why");
        listener::clear(true);
        let (code, exit, what) = if is_contained() {
            let what = "reading or writing a database failed inside redb, which happens when the database is damaged";
            ("damaged", DAMAGED, what)
        } else {
            ("other", FAILED, "a panic ended the job")
        };
        let message = format!("{what}: {why}; nothing was published");
        let line = if listener::is_json() {
            let line = serde_json::json!({
                "type": "error", "code": code, "exit": exit, "message": message,
            });
            line.to_string()
        } else {
            format!("error: {message}")
        };
        let _ = writeln!(std::io::stderr().lock(), "{line}");
        sink::drop_unpublished();
        directory::release(true);
        wasip2::cli::exit::exit_with_code(exit);
    }));
}
