//! Stored keys and values as JSON.
//!
//! A value is told so that its bytes follow from the JSON and its type: integers as numbers with all their digits, text as
//! text, bytes as hexadecimal digits, tuples, arrays and lists as arrays. Nothing is `null`, so what may itself be null is
//! in an array of one where it is there. What has no such form is `{"hex": "its bytes"}`, also within another.

use crate::redb::value::{Read, Type};
use std::io::{self, Write};

/// Writes a stored key or value; `kind` is its type, if that is known.
pub(super) fn write(kind: Option<&Type>, bytes: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let Some(kind) = kind else { return hex(bytes, out) };
    match kind.read(bytes) {
        // Straight to where they go: these may be large.
        Some(Read::Bytes(bytes)) => hex(bytes, out),
        Some(Read::Text(text)) => string(text, out),
        Some(_) => {
            let mut told = Vec::new();
            match tell(kind, bytes, &mut told) {
                Some(()) => out.write_all(&told),
                None => escaped(bytes, out),
            }
        }
        None => escaped(bytes, out),
    }
}

/// The same as a text; none if it is not what its type says.
#[cfg(feature = "sqlite")]
pub(super) fn text(kind: &Type, bytes: &[u8]) -> Option<String> {
    let mut told = Vec::new();
    tell(kind, bytes, &mut told)?;
    String::from_utf8(told).ok()
}

/// Writes a string.
pub(super) fn string(text: &str, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(out, text).map_err(io::Error::from)
}

fn hex(bytes: &[u8], out: &mut dyn Write) -> io::Result<()> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.write_all(b"\"")?;
    let mut digits = [0; 4096];
    for piece in bytes.chunks(digits.len() / 2) {
        for (pair, byte) in digits.chunks_exact_mut(2).zip(piece) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        out.write_all(&digits[..2 * piece.len()])?;
    }
    out.write_all(b"\"")
}

fn escaped(bytes: &[u8], out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"{\"hex\":")?;
    hex(bytes, out)?;
    out.write_all(b"}")
}

fn may_be_null(kind: &Type) -> bool {
    matches!(kind, Type::Unit | Type::Option { .. })
}

/// Whether it is a float that JSON has no number for.
fn is_no_number(kind: &Type, bytes: &[u8]) -> bool {
    match kind.read(bytes) {
        Some(Read::Single(number)) => !number.is_finite(),
        Some(Read::Double(number)) => !number.is_finite(),
        _ => false,
    }
}

fn tell(kind: &Type, bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let written = match kind.read(bytes)? {
        Read::Unit | Read::None => out.write_all(b"null"),
        Read::Bool(value) => write!(out, "{value}"),
        Read::Char(char) => string(char.encode_utf8(&mut [0; 4]), out),
        Read::Signed(number) => write!(out, "{number}"),
        Read::Unsigned(number) => write!(out, "{number}"),
        // As the double that it is: whoever reads it has no singles.
        Read::Single(number) if number.is_finite() => {
            serde_json::to_writer(out, &f64::from(number)).map_err(io::Error::from)
        }
        Read::Double(number) if number.is_finite() => {
            serde_json::to_writer(out, &number).map_err(io::Error::from)
        }
        Read::Single(_) | Read::Double(_) => escaped(bytes, out),
        Read::Text(text) => string(text, out),
        Read::Bytes(bytes) => hex(bytes, out),
        // What is in braces is the bytes of all that stands there.
        Read::Some(inner, some) if is_no_number(inner, some) => escaped(bytes, out),
        Read::Some(inner, some) => {
            if !may_be_null(inner) {
                return tell(inner, some, out);
            }
            out.push(b'[');
            tell(inner, some, out)?;
            out.write_all(b"]")
        }
        // Bytes by another name.
        Read::List(parts) if matches!(kind, Type::Vec(inner) if **inner == Type::BYTE) => {
            let bytes: Vec<u8> = parts.into_iter().flat_map(|(_, byte)| byte).copied().collect();
            hex(&bytes, out)
        }
        Read::Tuple(parts) | Read::List(parts) => {
            out.push(b'[');
            for (number, (inner, part)) in parts.into_iter().enumerate() {
                if number > 0 {
                    out.push(b',');
                }
                tell(inner, part, out)?;
            }
            out.write_all(b"]")
        }
    };
    // A Vec takes all that is written.
    written.ok()
}
