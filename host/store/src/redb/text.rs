//! Keys and values as text, for types whose encoding is known.

use super::value::{Read, Type};
use std::fmt::Write;

/// Writes a stored value as text; none if it is not one of this type.
fn show(shown: &Type, bytes: &[u8], nested: bool, out: &mut String) -> Option<()> {
    match shown.read(bytes)? {
        Read::Unit => out.push_str("()"),
        Read::Bool(value) => write!(out, "{value}").ok()?,
        Read::Char(char) if nested => write!(out, "{char:?}").ok()?,
        Read::Char(char) => out.push(char),
        Read::Signed(number) => write!(out, "{number}").ok()?,
        Read::Unsigned(number) => write!(out, "{number}").ok()?,
        Read::Single(number) => write!(out, "{number}").ok()?,
        Read::Double(number) => write!(out, "{number}").ok()?,
        Read::Bytes(bytes) => hex(bytes, out),
        Read::Text(text) if nested => write!(out, "{text:?}").ok()?,
        Read::Text(text) => out.push_str(text),
        Read::List(parts) => show_list("[", "]", parts, out)?,
        Read::Tuple(parts) => show_list("(", ")", parts, out)?,
        Read::None => out.push_str("None"),
        Read::Some(inner, some) => {
            out.push_str("Some(");
            show(inner, some, true, out)?;
            out.push(')');
        }
    }
    Some(())
}

fn show_list(open: &str, close: &str, parts: Vec<(&Type, &[u8])>, out: &mut String) -> Option<()> {
    out.push_str(open);
    for (i, (part, bytes)) in parts.into_iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        show(part, bytes, true, out)?;
    }
    out.push_str(close);
    Some(())
}

fn hex(bytes: &[u8], out: &mut String) {
    out.push_str("0x");
    for byte in bytes {
        write!(out, "{byte:02x}").expect("a String takes all that is written");
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digits.chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

/// A stored key or value as text; `type_name` is the [`key_type`](crate::Table::key_type) or
/// [`value_type`](crate::Table::value_type) of its table.
///
/// Built-in types look as in Rust, bytes as `0x` and hexadecimal digits. So do a user's types, and whatever is not what
/// its type says.
pub fn to_text(type_name: &str, bytes: &[u8]) -> String {
    let mut out = String::new();
    let shown = Type::parse(type_name).and_then(|parsed| show(&parsed, bytes, false, &mut out));
    if shown.is_none() {
        out.clear();
        hex(bytes, &mut out);
    }
    out
}

/// The stored bytes of a key that is given as text; `type_name` is the [`key_type`](crate::Table::key_type) of its
/// table. None if the text is not such a key.
///
/// Integers are decimal, strings and characters are as they are, byte strings and byte arrays are `0x` and hexadecimal
/// digits or else the bytes of the text. Keys of all other types are the stored bytes in the `0x` form.
pub fn key_from_text(type_name: &str, text: &str) -> Option<Vec<u8>> {
    match Type::parse(type_name) {
        Some(Type::Bool) => Some(vec![u8::from(text.parse::<bool>().ok()?)]),
        Some(Type::Char) => {
            let mut chars = text.chars();
            let (Some(char), None) = (chars.next(), chars.next()) else { return None };
            Some(u32::from(char).to_le_bytes()[..3].to_vec())
        }
        Some(Type::Int { signed, width, zero }) => {
            let bytes = if signed {
                text.parse::<i128>().ok()?.to_le_bytes()
            } else {
                text.parse::<u128>().ok()?.to_le_bytes()
            };
            let (low, high) = bytes.split_at(width);
            let negative = signed && low.last().is_some_and(|top| top & 0x80 != 0);
            let fill = if negative { 0xff } else { 0 };
            let fits = high.iter().all(|byte| *byte == fill);
            (fits && (zero || low.iter().any(|byte| *byte != 0))).then(|| low.to_vec())
        }
        Some(Type::Str) => Some(text.as_bytes().to_vec()),
        Some(Type::Bytes) => Some(from_hex(text).unwrap_or_else(|| text.as_bytes().to_vec())),
        Some(Type::Array(inner, len)) if *inner == Type::BYTE => {
            let bytes = from_hex(text).filter(|bytes| bytes.len() == len);
            bytes.or_else(|| (text.len() == len).then(|| text.as_bytes().to_vec()))
        }
        _ => from_hex(text),
    }
}
