//! Types of redb tables that are known only at run time.
//!
//! redb asks a Rust *type* for a table's type name and width, and asks for the width on every page that it touches.
//! [`Dyn`] answers from a slot of a process-wide table instead. A slot is leased to a pair of stored types for as long
//! as any table, iterator or guard of that pair lives: changing it under an open table would make redb read
//! its pages at the wrong width and return wrong bytes without an error. Tables of equal types share a lease.

use super::order::{self, Side};
use super::typed::{Pair, Place, Probing, Reading, Writing};
use crate::{Error, ErrorCode, Result};
use redb::{Key, MutInPlaceValue, ReadTransaction, TableError, TypeName, Value};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// How many different pairs of types a process can read at once. redb's code is compiled once more for each. In a
/// component there are no threads that read at the same time.
pub(super) const READ_PAIRS: usize = if cfg!(target_family = "wasm") { 4 } else { 16 };
/// How many it can write at once. Writing is most of redb's code, and a sink writes one table at a time.
pub(super) const WRITE_PAIRS: usize = if cfg!(target_family = "wasm") { 1 } else { 4 };
const PAIRS: usize = READ_PAIRS + WRITE_PAIRS;

/// How long to wait for a pair. Nobody waits for ever, for whoever holds the pairs may be waiting for this caller.
const PATIENCE: Duration = Duration::from_secs(20);

/// A stored type: its name and its width, if that is fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredType {
    pub(super) name: TypeName,
    pub(super) width: Option<usize>,
}

/// What a table stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Types {
    pub(super) key: StoredType,
    pub(super) value: StoredType,
}

/// Slots `2 * n` and `2 * n + 1` are pair `n`: first those to read through, then those to write through, and one that
/// is only probed with.
const SLOTS: usize = 2 * (PAIRS + 1);
const PROBE: usize = PAIRS;

static NAMES: [RwLock<Option<TypeName>>; SLOTS] = [const { RwLock::new(None) }; SLOTS];
/// One more than the width; 0 is a variable width.
static WIDTHS: [AtomicUsize; SLOTS] = [const { AtomicUsize::new(0) }; SLOTS];

/// A redb key and value type that is whatever its slot says, as raw bytes.
#[derive(Debug)]
pub(super) struct Dyn<const SLOT: usize>;

impl<const SLOT: usize> Dyn<SLOT> {
    const SIDE: Side = if SLOT.is_multiple_of(2) { Side::Key } else { Side::Value };
}

impl<const SLOT: usize> Value for Dyn<SLOT> {
    type SelfType<'a> = &'a [u8];
    type AsBytes<'a> = &'a [u8];

    fn fixed_width() -> Option<usize> {
        WIDTHS[SLOT].load(Relaxed).checked_sub(1)
    }

    fn from_bytes<'a>(data: &'a [u8]) -> &'a [u8]
    where
        Self: 'a,
    {
        data
    }

    fn as_bytes<'a, 'b: 'a>(value: &'a &'b [u8]) -> &'a [u8]
    where
        Self: 'b,
    {
        value
    }

    fn type_name() -> TypeName {
        let name = NAMES[SLOT].read().unwrap_or_else(PoisonError::into_inner);
        name.clone().expect("a slot is set before a table is opened through it")
    }
}

impl<const SLOT: usize> MutInPlaceValue for Dyn<SLOT> {
    type BaseRefType = [u8];

    /// Whoever asked for the room fills all of it.
    fn initialize(_data: &mut [u8]) {}

    fn from_bytes_mut(data: &mut [u8]) -> &mut [u8] {
        data
    }
}

impl<const SLOT: usize> Key for Dyn<SLOT> {
    fn compare(sought: &[u8], stored: &[u8]) -> Ordering {
        order::compare(Self::SIDE, sought, stored)
    }

    fn separator<'a>(left: &'a [u8], _right: &'a [u8]) -> Cow<'a, [u8]> {
        // A shorter one would have to be a key of the user's type.
        Cow::Borrowed(left)
    }
}

fn set(pair: usize, types: &Types) {
    for (slot, stored) in [(2 * pair, &types.key), (2 * pair + 1, &types.value)] {
        WIDTHS[slot].store(stored.width.map_or(0, |width| width.wrapping_add(1)), Relaxed);
        *NAMES[slot].write().unwrap_or_else(PoisonError::into_inner) = Some(stored.name.clone());
    }
}

struct Seat {
    leases: usize,
    types: Option<Types>,
}

static SEATS: Mutex<[Seat; PAIRS]> = Mutex::new([const { Seat { leases: 0, types: None } }; PAIRS]);
static FREED: Condvar = Condvar::new();

/// Keeps a pair of slots at its types. Must be dropped after everything that was opened through it.
#[derive(Debug)]
struct Lease {
    pair: usize,
}

impl Lease {
    /// Leases one of `pairs` for these types, shared with whoever has them open already.
    fn take(types: &Types, pairs: Range<usize>, patience: Duration) -> Result<Self> {
        let mut seats = SEATS.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + patience;
        let pair = loop {
            let shared = pairs.clone().find(|pair| seats[*pair].types.as_ref() == Some(types));
            if let Some(pair) = shared.or_else(|| pairs.clone().find(|pair| seats[*pair].leases == 0)) {
                break pair;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let why = format!(
                    "{} tables of different types are open at once, which is all that can be",
                    pairs.len()
                );
                return Err(Error::new(ErrorCode::Busy, why));
            }
            seats = FREED.wait_timeout(seats, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        let seat = &mut seats[pair];
        if seat.types.as_ref() != Some(types) {
            set(pair, types);
            seat.types = Some(types.clone());
        }
        seat.leases += 1;
        Ok(Self { pair })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut seats = SEATS.lock().unwrap_or_else(PoisonError::into_inner);
        seats[self.pair].leases -= 1;
        if seats[self.pair].leases == 0 {
            FREED.notify_all();
        }
    }
}

/// A lease to read through. Must be dropped after everything that was opened through it.
#[derive(Debug)]
pub(super) struct ReadLease(Lease);

impl ReadLease {
    pub(super) fn take(types: &Types) -> Result<Self> {
        Lease::take(types, 0..READ_PAIRS, PATIENCE).map(Self)
    }

    pub(super) fn typed(&self) -> &'static dyn Reading {
        READING[self.0.pair]
    }
}

/// A lease to write through. Must be dropped after everything that was opened through it.
#[derive(Debug)]
pub(super) struct WriteLease(Lease);

impl WriteLease {
    pub(super) fn take(types: &Types) -> Result<Self> {
        Lease::take(types, READ_PAIRS..PAIRS, PATIENCE).map(Self)
    }

    pub(super) fn typed(&self) -> &'static dyn Writing {
        WRITING[self.0.pair - READ_PAIRS]
    }
}

macro_rules! pairs {
    ($($pair:literal)*) => {
        [$(&Pair::<{ 2 * $pair }, { 2 * $pair + 1 }>),*]
    };
}

#[cfg(not(target_family = "wasm"))]
static READING: [&dyn Reading; READ_PAIRS] = pairs!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
#[cfg(not(target_family = "wasm"))]
static WRITING: [&dyn Writing; WRITE_PAIRS] = pairs!(16 17 18 19);
#[cfg(target_family = "wasm")]
static READING: [&dyn Reading; READ_PAIRS] = pairs!(0 1 2 3);
#[cfg(target_family = "wasm")]
static WRITING: [&dyn Writing; WRITE_PAIRS] = pairs!(4);
static PROBING: &dyn Probing = &Pair::<{ 2 * PROBE }, { 2 * PROBE + 1 }>;

/// The pair of slots that is only used while this is held, and only for opens that are meant to fail.
pub(super) struct ProbeSlots {
    _only: MutexGuard<'static, ()>,
}

impl ProbeSlots {
    pub(super) fn take() -> Self {
        static ONLY: Mutex<()> = Mutex::new(());
        Self { _only: ONLY.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Opens a table as one of these types.
    pub(super) fn open(
        &self,
        types: &Types,
        txn: &ReadTransaction,
        place: Place<'_>,
    ) -> Result<(), TableError> {
        set(PROBE, types);
        PROBING.open(txn, place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(name: &str) -> Types {
        let stored = StoredType { name: TypeName::new(name), width: None };
        Types { key: stored.clone(), value: stored }
    }

    #[test]
    fn equal_types_share_a_pair_and_too_many_are_busy() {
        let take = |name: &str| Lease::take(&types(name), READ_PAIRS..PAIRS, Duration::from_millis(50));
        let one = take("shared").unwrap();
        let two = take("shared").unwrap();
        assert_eq!(one.pair, two.pair);
        let mut others = Vec::new();
        let error = loop {
            match take(&format!("other {}", others.len())) {
                Ok(lease) => others.push(lease),
                Err(error) => break error,
            }
        };
        assert_eq!(error.code, ErrorCode::Busy);
        drop(others);
        take("again").unwrap();
    }

    #[test]
    fn a_pair_that_is_freed_wakes_who_waits_for_one() {
        // Other tests of this process hold some for a while.
        let held: Vec<Lease> = (0..READ_PAIRS)
            .map(|i| Lease::take(&types(&format!("held {i}")), 0..READ_PAIRS, PATIENCE).unwrap())
            .collect();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| ReadLease::take(&types("one more")).is_ok());
            std::thread::sleep(Duration::from_millis(50));
            drop(held);
            assert!(waiting.join().unwrap());
        });
    }
}
