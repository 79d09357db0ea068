//! How far an application had come, read from one of its own entries.

use super::order::{self, Mode, Order};
use super::schema::Class;
use super::slots::StoredType;
use super::store::Known;
use super::text::key_from_text;
use super::value::Type;
use crate::{Error, ErrorCode, Result};
use redb::ReadTransaction;

/// The number at `TABLE/KEY`. Both may contain slashes; the longest table name that fits is taken.
pub(super) fn find(txn: &ReadTransaction, known: &[Known], at: &str) -> Result<u64> {
    let nothing = |why: String| Error::new(ErrorCode::NotFound, format!("no position at {at:?}: {why}"));
    let slashes = at.rmatch_indices('/').map(|(slash, _)| (&at[..slash], &at[slash + 1..]));
    let table = slashes.into_iter().find_map(|(name, key)| {
        known.iter().find(|known| known.table.name == name).map(|known| (known, key))
    });
    let Some((known, text)) = table else {
        let names: Vec<&str> = known.iter().take(20).map(|known| &known.table.name[..]).collect();
        return Err(nothing(if at.contains('/') {
            format!("the database has no table of such a name; it has {names:?}")
        } else {
            "it takes the form TABLE/KEY".to_owned()
        }));
    };
    let table = &known.table;
    let name = &table.name;
    if table.multimap {
        return Err(nothing(format!("table {name:?} is a multimap, so a key has no single value")));
    }
    let Some(key) = key_from_text(&table.key_type, text) else {
        return Err(nothing(format!(
            "{text:?} is not a key of table {name:?}, whose keys are {}",
            table.key_type
        )));
    };
    let mut number = None;
    let mut read = |value: &[u8]| number = Some(integer(&known.schema.types.value, value));
    look_up(txn, known, &key, &mut read)?;
    match number {
        None => Err(nothing(format!("table {name:?} has no key {text}"))),
        Some(Err(why)) => Err(nothing(format!("the value of key {text} in table {name:?} {why}"))),
        Some(Ok(number)) => Ok(number),
    }
}

/// Hands the value of a key to `found`, if there is one.
fn look_up(txn: &ReadTransaction, known: &Known, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<()> {
    let lease = known.schema.lease()?;
    let typed = lease.typed();
    let mut seen = false;
    if let Some(order) = order_of(&known.schema.types.key) {
        order::with(Mode::Known(order), || {
            typed.get(txn, &known.schema.name, key, &mut |value| {
                seen = true;
                found(value);
            })
        })?;
    }
    // An order that is not known leaves a scan.
    if !seen {
        typed.stream(txn, known.schema.place(), None)?.find(&mut |stored, value| {
            let same = stored == key;
            if same {
                found(value);
            }
            same
        })?;
    }
    Ok(())
}

/// The order of a stored key type, if it is one of the simple built-in ones.
fn order_of(stored: &StoredType) -> Option<Order> {
    if Class::of(&stored.name) == Class::UserDefined {
        return None;
    }
    match Type::parse(stored.name.name())? {
        Type::Bool | Type::Char => Some(Order::Unsigned),
        Type::Int { signed: true, .. } => Some(Order::Signed),
        Type::Int { signed: false, .. } => Some(Order::Unsigned),
        Type::Bytes | Type::Str => Some(Order::Bytes),
        Type::Array(inner, _) => (*inner == Type::BYTE).then_some(Order::Bytes),
        _ => None,
    }
}

/// A stored value as a number, or why it is none.
fn integer(stored: &StoredType, value: &[u8]) -> Result<u64, String> {
    let name = stored.name.name();
    if Class::of(&stored.name) == Class::UserDefined {
        return Err(format!("is of the application's own type {name}, not an integer"));
    }
    match Type::parse(name) {
        Some(Type::Int { signed, width, .. }) if value.len() == width => {
            let negative = signed && value.last().is_some_and(|top| top & 0x80 != 0);
            if negative {
                return Err("is negative".to_owned());
            }
            let (low, high) = value.split_at(width.min(8));
            if high.iter().any(|byte| *byte != 0) {
                return Err("does not fit 64 bits".to_owned());
            }
            let mut bytes = [0; 8];
            bytes[..low.len()].copy_from_slice(low);
            Ok(u64::from_le_bytes(bytes))
        }
        Some(Type::Str) => {
            let text = std::str::from_utf8(value).map_err(|_| "is not text".to_owned())?;
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            match text.parse() {
                Ok(number) if digits => Ok(number),
                _ => Err(format!("is {text:.40?}, not a decimal number of 64 bits")),
            }
        }
        _ => Err(format!("is of type {name}, not an integer")),
    }
}
