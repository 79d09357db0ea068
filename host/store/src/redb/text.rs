//! Keys and values as text, for types whose encoding is known.

use std::fmt::Write;

/// A built-in type, parsed from its stored name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    Unit,
    Bool,
    Char,
    Int {
        signed: bool,
        width: usize,
        zero: bool,
    },
    Float {
        width: usize,
    },
    Bytes,
    Str,
    Tuple(Vec<Type>),
    Array(Box<Type>, usize),
    Vec(Box<Type>),
    /// A niche says none with a value that the inner type does not have; only that of a nonzero integer is known.
    Option {
        inner: Box<Type>,
        niche: bool,
    },
}

/// Deeper types than this are not parsed; a name comes from a file and may be anything.
const DEPTH: u32 = 16;

impl Type {
    pub(super) const BYTE: Self = Self::Int { signed: false, width: 1, zero: true };

    /// Parses the name of a built-in type.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (parsed, rest) = Self::begin(name, DEPTH)?;
        rest.is_empty().then_some(parsed)
    }

    fn begin(name: &str, depth: u32) -> Option<(Self, &str)> {
        let depth = depth.checked_sub(1)?;
        let inside = |rest| Self::begin(rest, depth).map(|(inner, rest)| (Box::new(inner), rest));
        if let Some(rest) = name.strip_prefix("()") {
            return Some((Self::Unit, rest));
        }
        if let Some(mut rest) = name.strip_prefix('(') {
            let mut parts = Vec::new();
            loop {
                let (part, after) = inside(rest)?;
                parts.push(*part);
                if let Some(after) = after.strip_prefix(',') {
                    rest = after;
                    // A tuple of one ends in a comma.
                    if let Some(after) = rest.strip_prefix(')') {
                        return Some((Self::Tuple(parts), after));
                    }
                } else {
                    return Some((Self::Tuple(parts), after.strip_prefix(')')?));
                }
            }
        }
        if let Some(rest) = name.strip_prefix("&[u8;").or_else(|| name.strip_prefix("[u8;")) {
            let (len, rest) = rest.split_once(']')?;
            return Some((Self::Array(Box::new(Self::BYTE), len.parse().ok()?), rest));
        }
        if let Some(rest) = name.strip_prefix('[') {
            let (inner, rest) = inside(rest)?;
            let (len, rest) = rest.strip_prefix(';')?.split_once(']')?;
            return Some((Self::Array(inner, len.parse().ok()?), rest));
        }
        for (prefix, niche) in [("niche::Option<", true), ("Option<", false)] {
            if let Some(rest) = name.strip_prefix(prefix) {
                let (inner, rest) = inside(rest)?;
                return Some((Self::Option { inner, niche }, rest.strip_prefix('>')?));
            }
        }
        if let Some(rest) = name.strip_prefix("Vec<") {
            let (inner, rest) = inside(rest)?;
            return Some((Self::Vec(inner), rest.strip_prefix('>')?));
        }
        let end = name.find([',', ')', ']', '>', ';']).unwrap_or(name.len());
        // `&[u8]` holds one of the characters that end a name.
        if let Some(rest) = name.strip_prefix("&[u8]") {
            return Some((Self::Bytes, rest));
        }
        Some((Self::leaf(&name[..end])?, &name[end..]))
    }

    fn leaf(name: &str) -> Option<Self> {
        Some(match name {
            "bool" => Self::Bool,
            "char" => Self::Char,
            "&str" | "String" => Self::Str,
            "f32" => Self::Float { width: 4 },
            "f64" => Self::Float { width: 8 },
            _ => {
                let (zero, rest) = name.strip_prefix("NonZero").map_or((true, name), |rest| (false, rest));
                let letters = if zero { ["u", "i"] } else { ["U", "I"] };
                let unsigned = rest.strip_prefix(letters[0]);
                let bits = unsigned.or_else(|| rest.strip_prefix(letters[1]))?;
                let width = ["8", "16", "32", "64", "128"].iter().position(|known| *known == bits)?;
                Self::Int { signed: unsigned.is_none(), width: 1 << width, zero }
            }
        })
    }

    /// The width of the encoding, if it is fixed. Absurd ones do not count as fixed.
    fn width(&self) -> Option<usize> {
        match self {
            Self::Unit => Some(0),
            Self::Bool => Some(1),
            Self::Char => Some(3),
            Self::Int { width, .. } | Self::Float { width } => Some(*width),
            Self::Bytes | Self::Str | Self::Vec(_) => None,
            Self::Tuple(parts) => parts.iter().try_fold(0, |sum: usize, part| sum.checked_add(part.width()?)),
            Self::Array(inner, len) => inner.width()?.checked_mul(*len),
            Self::Option { inner, niche } => inner.width()?.checked_add(usize::from(!niche)),
        }
    }

    /// Writes a stored value as text; none if it is not one of this type.
    fn show(&self, bytes: &[u8], nested: bool, out: &mut String) -> Option<()> {
        if self.width().is_some_and(|width| width != bytes.len()) {
            return None;
        }
        match self {
            Self::Unit => out.push_str("()"),
            Self::Bool => out.push_str(match bytes {
                [0] => "false",
                [1] => "true",
                _ => return None,
            }),
            Self::Char => {
                let [a, b, c] = *bytes else { return None };
                let char = char::from_u32(u32::from_le_bytes([a, b, c, 0]))?;
                if nested { write!(out, "{char:?}").ok()? } else { out.push(char) }
            }
            Self::Int { signed, .. } => {
                let fill = if *signed && bytes.last()? & 0x80 != 0 { 0xff } else { 0 };
                let mut wide = [fill; 16];
                wide[..bytes.len()].copy_from_slice(bytes);
                if *signed {
                    write!(out, "{}", i128::from_le_bytes(wide)).ok()?;
                } else {
                    write!(out, "{}", u128::from_le_bytes(wide)).ok()?;
                }
            }
            Self::Float { width: 4 } => write!(out, "{}", f32::from_le_bytes(bytes.try_into().ok()?)).ok()?,
            Self::Float { .. } => write!(out, "{}", f64::from_le_bytes(bytes.try_into().ok()?)).ok()?,
            Self::Bytes => hex(bytes, out),
            Self::Str => {
                let text = std::str::from_utf8(bytes).ok()?;
                if nested { write!(out, "{text:?}").ok()? } else { out.push_str(text) }
            }
            Self::Array(inner, _) if **inner == Self::BYTE => hex(bytes, out),
            Self::Array(inner, len) => show_list("[", "]", array(inner, *len, bytes)?, out)?,
            Self::Vec(inner) => show_list("[", "]", list(inner, bytes)?, out)?,
            Self::Tuple(parts) => show_list("(", ")", tuple(parts, bytes)?, out)?,
            Self::Option { inner, niche } => {
                let some = match (niche, bytes.first()) {
                    (true, _) if matches!(**inner, Self::Int { zero: false, .. }) => {
                        bytes.iter().any(|byte| *byte != 0).then_some(bytes)
                    }
                    (false, Some(0)) => None,
                    (false, Some(1)) => Some(&bytes[1..]),
                    _ => return None,
                };
                let Some(some) = some else {
                    out.push_str("None");
                    return Some(());
                };
                out.push_str("Some(");
                inner.show(some, true, out)?;
                out.push(')');
            }
        }
        Some(())
    }
}

fn show_list(open: &str, close: &str, parts: Vec<(&Type, &[u8])>, out: &mut String) -> Option<()> {
    out.push_str(open);
    for (i, (part, bytes)) in parts.into_iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        part.show(bytes, true, out)?;
    }
    out.push_str(close);
    Some(())
}

/// Takes a length of one, three or five bytes.
fn take_len(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    match first {
        254 => rest.split_first_chunk().map(|(len, rest)| (usize::from(u16::from_le_bytes(*len)), rest)),
        255 => {
            let (len, rest) = rest.split_first_chunk()?;
            Some((usize::try_from(u32::from_le_bytes(*len)).ok()?, rest))
        }
        len => Some((usize::from(*len), rest)),
    }
}

/// The lengths of all but the last part that vary in width, then the parts.
fn tuple<'a, 'b>(parts: &'a [Type], mut bytes: &'b [u8]) -> Option<Vec<(&'a Type, &'b [u8])>> {
    let (last, front) = parts.split_last()?;
    let mut lens = Vec::new();
    for part in front {
        lens.push(match part.width() {
            Some(width) => width,
            None => {
                let (len, rest) = take_len(bytes)?;
                bytes = rest;
                len
            }
        });
    }
    let mut taken = Vec::new();
    for (part, len) in front.iter().zip(lens) {
        let (piece, rest) = bytes.split_at_checked(len)?;
        taken.push((part, piece));
        bytes = rest;
    }
    taken.push((last, bytes));
    Some(taken)
}

/// Elements end to end; if they vary in width, their ends stand before them.
fn array<'a, 'b>(inner: &'a Type, len: usize, bytes: &'b [u8]) -> Option<Vec<(&'a Type, &'b [u8])>> {
    let mut taken = Vec::new();
    if let Some(width) = inner.width() {
        for i in 0..len {
            // A type without width could stand in any number.
            (width > 0 || i < 1024).then_some(())?;
            taken.push((inner, bytes.get(i * width..(i + 1) * width)?));
        }
        return Some(taken);
    }
    let mut start = len.checked_mul(4)?;
    for i in 0..len {
        let end = bytes.get(4 * i..4 * i + 4)?.try_into().ok()?;
        let end = usize::try_from(u32::from_le_bytes(end)).ok()?;
        taken.push((inner, bytes.get(start..end)?));
        start = end;
    }
    (start == bytes.len()).then_some(taken)
}

/// Their number, then the elements, each after its length if they vary in width.
fn list<'a, 'b>(inner: &'a Type, bytes: &'b [u8]) -> Option<Vec<(&'a Type, &'b [u8])>> {
    let (len, mut bytes) = take_len(bytes)?;
    let mut taken = Vec::new();
    for i in 0..len {
        (inner.width() != Some(0) || i < 1024).then_some(())?;
        let (width, rest) = match inner.width() {
            Some(width) => (width, bytes),
            None => take_len(bytes)?,
        };
        let (piece, rest) = rest.split_at_checked(width)?;
        taken.push((inner, piece));
        bytes = rest;
    }
    bytes.is_empty().then_some(taken)
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
    let shown = Type::parse(type_name).and_then(|parsed| parsed.show(bytes, false, &mut out));
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
