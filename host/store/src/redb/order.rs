//! How raw keys compare while redb works on them.
//!
//! redb asks the key type for every comparison, and always passes the sought or inserted key first. Nobody here knows
//! the order of a user's keys, so what a comparison answers depends on what this thread is doing at the moment.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;

/// What a comparison on this thread answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The key that is being appended is the greatest, all others stand as they are.
    Append,
    /// The bits of a fraction, most significant first: they steer a descent to about that share of the table.
    Guided(u64),
    /// The order of a type that is known.
    Known(Order),
}

/// The order of those key types that a key can be given as text for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// As the bytes stand.
    Bytes,
    /// Little-endian, unsigned.
    Unsigned,
    /// Little-endian, two's complement.
    Signed,
}

/// Which of an entry's two sides a comparison is about: in a multimap, values have an order as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Key,
    Value,
}

thread_local! {
    static MODE: Cell<Mode> = const { Cell::new(Mode::Append) };
    static PENDING_KEY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static PENDING_VALUE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Puts the mode back when a closure ends, also by a panic inside redb.
struct Restore(Mode);

impl Drop for Restore {
    fn drop(&mut self) {
        MODE.set(self.0);
    }
}

/// Runs `work` with comparisons of this thread in `mode`.
pub(super) fn with<T>(mode: Mode, work: impl FnOnce() -> T) -> T {
    let _restore = Restore(MODE.replace(mode));
    work()
}

/// Says what is appended next on this thread.
pub(super) fn append_next(side: Side, bytes: &[u8]) {
    let pending = match side {
        Side::Key => &PENDING_KEY,
        Side::Value => &PENDING_VALUE,
    };
    pending.with_borrow_mut(|pending| {
        pending.clear();
        pending.extend_from_slice(bytes);
    });
}

/// Forgets what was appended, so that one huge key does not stay.
pub(super) fn append_nothing() {
    PENDING_KEY.set(Vec::new());
    PENDING_VALUE.set(Vec::new());
}

/// Compares two raw keys; `sought` is what redb looks for or inserts.
pub(super) fn compare(side: Side, sought: &[u8], stored: &[u8]) -> Ordering {
    match MODE.get() {
        Mode::Guided(bits) => {
            MODE.set(Mode::Guided(bits << 1));
            if bits >> 63 == 1 { Ordering::Greater } else { Ordering::Less }
        }
        Mode::Known(order) => order.compare(sought, stored),
        Mode::Append => {
            if sought == stored {
                return Ordering::Equal;
            }
            let pending = match side {
                Side::Key => &PENDING_KEY,
                Side::Value => &PENDING_VALUE,
            };
            // Debug builds of redb also compare two neighbours, the lesser one first.
            pending.with_borrow(|pending| if sought == pending { Ordering::Greater } else { Ordering::Less })
        }
    }
}

impl Order {
    /// Compares two keys of one type. Of different lengths they can only be damaged; any total order will do then.
    pub(super) fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        let little_endian = |a: &[u8], b: &[u8]| a.iter().rev().cmp(b.iter().rev());
        match self {
            Self::Bytes => a.cmp(b),
            Self::Unsigned => little_endian(a, b),
            Self::Signed => {
                let negative = |x: &[u8]| x.last().is_some_and(|top| top & 0x80 != 0);
                negative(b).cmp(&negative(a)).then_with(|| little_endian(a, b))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::Key;

    #[test]
    fn known_orders_are_redbs_orders() {
        let ints = [i64::MIN, -300, -256, -255, -1, 0, 1, 127, 128, 255, 256, 300, i64::MAX];
        for a in ints {
            for b in ints {
                let (x, y) = (a.to_le_bytes(), b.to_le_bytes());
                assert_eq!(Order::Signed.compare(&x, &y), i64::compare(&x, &y));
                assert_eq!(Order::Unsigned.compare(&x, &y), u64::compare(&x, &y));
                assert_eq!(Order::Bytes.compare(&x, &y), <&[u8]>::compare(&x, &y));
                assert_eq!(Order::Bytes.compare(&x, &y), <[u8; 8]>::compare(&x, &y));
            }
        }
    }

    #[test]
    fn a_mode_ends_with_its_closure_even_if_that_panics() {
        let caught = std::panic::catch_unwind(|| with(Mode::Guided(0), || panic!("on purpose")));
        assert!(caught.is_err());
        assert_eq!(MODE.get(), Mode::Append);
    }
}
