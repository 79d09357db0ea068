//! redb trusts the file that it reads: a damaged one can make it panic. Such a panic becomes an error here.

use crate::{Error, ErrorCode, Result};
use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is reading or writing what somebody else wrote, so that a panic is due to damage.
pub fn is_contained() -> bool {
    CONTAINED.get()
}

/// Keeps the panic hook quiet about panics that [`contain`] turns into errors. All others go to the hook that was set
/// before. For reading what somebody else wrote; where only an application's own database is read, its hook is left
/// alone.
pub(super) fn quiet() {
    if cfg!(panic = "abort") {
        // Nothing is turned into an error, so whoever listens must hear of it.
        return;
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !CONTAINED.get() {
                before(info);
            }
        }));
    });
}

/// Runs `work`, which calls redb; a panic of it is [`ErrorCode::Corrupt`]. What `work` used must not be used again
/// after that.
pub(super) fn contain<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let outer = CONTAINED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(outer);
    result.unwrap_or_else(|payload| {
        Err(Error::new(
            ErrorCode::Corrupt,
            format!(
                "{what} failed inside redb, which happens when the database is damaged: {}",
                text(&*payload)
            ),
        ))
    })
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("it did not say why")
}
