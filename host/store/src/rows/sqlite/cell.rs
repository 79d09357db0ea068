//! Stored keys and values as SQLite has them.
//!
//! SQLite's integers have 64 bits and a sign, and it has no NaN and no negative zero. What does not fit stands in the same
//! column as something else, so that it can be told and nothing is lost:
//!
//! - An integer that is out of range is a text of its digits, with zeroes in front up to the most that its type can have.
//!   SQLite sorts texts behind all integers, and these among themselves by their size; so `u64` and `u128` keep their order.
//! - Not a number, negative zero, and whatever is not what its type says, are a blob of the stored bytes.
//! - Tuples, arrays, lists and nested options are JSON.
//!
//! A column in which texts may stand beside numbers has no type in SQLite, which would otherwise make doubles of them.

use std::borrow::Cow;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use crate::redb::value::{Read, Type};
use crate::rows::json;

/// A key or a value in a row.
#[derive(Debug, PartialEq)]
pub(super) enum Cell<'b> {
    Null,
    Integer(i64),
    Real(f64),
    Text(Cow<'b, str>),
    Blob(&'b [u8]),
}

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Those of which an option is the thing itself, or null.
fn is_scalar(kind: &Type) -> bool {
    matches!(kind, Type::Bool | Type::Char | Type::Int { .. } | Type::Float { .. } | Type::Str)
}

fn is_bytes(kind: &Type) -> bool {
    matches!(kind, Type::Bytes) || matches!(kind, Type::Array(inner, _) if **inner == Type::BYTE)
}

/// Whether all integers of the type are integers of SQLite's.
fn fits(signed: bool, width: usize) -> bool {
    width < 8 || signed && width == 8
}

/// Whether keys of this type can be the `rowid`.
pub(super) fn is_rowid(kind: Option<&Type>) -> bool {
    matches!(kind, Some(Type::Int { signed, width, .. }) if fits(*signed, *width))
}

/// How a column of this type is declared.
pub(super) fn column(kind: Option<&Type>) -> &'static str {
    let Some(kind) = kind else { return "BLOB" };
    match kind {
        Type::Int { signed, width, .. } if fits(*signed, *width) => "INT",
        Type::Int { .. } | Type::Unit => "",
        Type::Bool => "BOOLEAN",
        Type::Float { .. } => "REAL",
        Type::Option { inner, .. } if is_scalar(inner) => column(Some(inner)),
        kind if is_bytes(kind) => "BLOB",
        _ => "TEXT",
    }
}

impl<'b> Cell<'b> {
    /// A stored key or value; `kind` is its type, if that is known.
    pub(super) fn of(kind: Option<&Type>, bytes: &'b [u8]) -> Self {
        kind.and_then(|kind| Self::read(kind, bytes)).unwrap_or(Self::Blob(bytes))
    }

    fn read(kind: &Type, bytes: &'b [u8]) -> Option<Self> {
        Some(match kind.read(bytes)? {
            Read::Unit | Read::None => Self::Null,
            Read::Bool(value) => Self::Integer(value.into()),
            Read::Char(char) => Self::Text(char.to_string().into()),
            Read::Signed(number) => match i64::try_from(number) {
                Ok(number) => Self::Integer(number),
                // Only of 128 bits.
                Err(_) => {
                    Self::Text(format!("{number:0width$}", width = if number < 0 { 40 } else { 39 }).into())
                }
            },
            Read::Unsigned(number) => match i64::try_from(number) {
                Ok(number) => Self::Integer(number),
                Err(_) => {
                    let width = if bytes.len() == 8 { 20 } else { 39 };
                    Self::Text(format!("{number:0width$}").into())
                }
            },
            Read::Single(number) => real(number.into())?,
            Read::Double(number) => real(number)?,
            Read::Text(text) => Self::Text(text.into()),
            Read::Bytes(bytes) => Self::Blob(bytes),
            Read::Some(inner, some) if is_scalar(inner) => Self::read(inner, some)?,
            Read::Some(..) | Read::Tuple(_) | Read::List(_) => Self::Text(json::text(kind, bytes)?.into()),
        })
    }
}

fn real<'b>(number: f64) -> Option<Cell<'b>> {
    let kept = !number.is_nan() && (number != 0.0 || number.is_sign_positive());
    kept.then_some(Cell::Real(number))
}
