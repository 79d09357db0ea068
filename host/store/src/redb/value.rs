//! Stored keys and values as what they are, for types whose encoding is known.
//!
//! What is read is exact: bytes that no value of the type is stored as are no value, so that whoever tells what was read
//! loses nothing.

/// A built-in type, parsed from its stored name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Type {
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
    Tuple {
        parts: Vec<Type>,
        /// In the encoding of redb 2, in which every length has 32 bits.
        old: bool,
    },
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
    pub(crate) const BYTE: Self = Self::Int { signed: false, width: 1, zero: true };

    /// Parses the name of a built-in type, as a [table](crate::Table) has it.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        // Of what only holds a tuple, redb 3 and redb 2 may be the author; of a tuple itself, redb 2 alone.
        let old = name.strip_prefix("old:").filter(|name| name.starts_with('('));
        let (parsed, rest) = Self::begin(old.unwrap_or(name), old.is_some(), DEPTH)?;
        rest.is_empty().then_some(parsed)
    }

    /// The same of a name that redb 2 stored: every tuple in it is old.
    #[cfg(feature = "redb2")]
    pub(super) fn parse_old(name: &str) -> Option<Self> {
        let (parsed, rest) = Self::begin(name, true, DEPTH)?;
        rest.is_empty().then_some(parsed)
    }

    /// Whether a tuple that redb 4 stores in another way is in it.
    #[cfg(feature = "redb2")]
    pub(super) fn has_old_tuple(&self) -> bool {
        match self {
            Self::Tuple { parts, old } => {
                *old && self.width().is_none() && parts.len() > 1 || parts.iter().any(Self::has_old_tuple)
            }
            Self::Array(inner, _) | Self::Vec(inner) | Self::Option { inner, .. } => inner.has_old_tuple(),
            _ => false,
        }
    }

    fn begin(name: &str, old: bool, depth: u32) -> Option<(Self, &str)> {
        let depth = depth.checked_sub(1)?;
        let inside = |rest| Self::begin(rest, old, depth).map(|(inner, rest)| (Box::new(inner), rest));
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
                        return Some((Self::Tuple { parts, old }, after));
                    }
                } else {
                    return Some((Self::Tuple { parts, old }, after.strip_prefix(')')?));
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
    pub(super) fn width(&self) -> Option<usize> {
        match self {
            Self::Unit => Some(0),
            Self::Bool => Some(1),
            Self::Char => Some(3),
            Self::Int { width, .. } | Self::Float { width } => Some(*width),
            Self::Bytes | Self::Str | Self::Vec(_) => None,
            Self::Tuple { parts, .. } => {
                parts.iter().try_fold(0, |sum: usize, part| sum.checked_add(part.width()?))
            }
            Self::Array(inner, len) => inner.width()?.checked_mul(*len),
            Self::Option { inner, niche } => inner.width()?.checked_add(usize::from(!niche)),
        }
    }

    /// What a stored value is; none if it is not one of this type.
    pub(crate) fn read<'t, 'b>(&'t self, bytes: &'b [u8]) -> Option<Read<'t, 'b>> {
        if self.width().is_some_and(|width| width != bytes.len()) {
            return None;
        }
        Some(match self {
            Self::Unit => Read::Unit,
            Self::Bool => Read::Bool(match bytes {
                [0] => false,
                [1] => true,
                _ => return None,
            }),
            Self::Char => {
                let [a, b, c] = *bytes else { return None };
                Read::Char(char::from_u32(u32::from_le_bytes([a, b, c, 0]))?)
            }
            Self::Int { signed, .. } => {
                let fill = if *signed && bytes.last()? & 0x80 != 0 { 0xff } else { 0 };
                let mut wide = [fill; 16];
                wide[..bytes.len()].copy_from_slice(bytes);
                if *signed {
                    Read::Signed(i128::from_le_bytes(wide))
                } else {
                    Read::Unsigned(u128::from_le_bytes(wide))
                }
            }
            Self::Float { width: 4 } => Read::Single(f32::from_le_bytes(bytes.try_into().ok()?)),
            Self::Float { .. } => Read::Double(f64::from_le_bytes(bytes.try_into().ok()?)),
            Self::Bytes => Read::Bytes(bytes),
            Self::Str => Read::Text(std::str::from_utf8(bytes).ok()?),
            Self::Array(inner, _) if **inner == Self::BYTE => Read::Bytes(bytes),
            Self::Array(inner, len) => Read::List(array(inner, *len, bytes)?),
            Self::Vec(inner) => Read::List(list(inner, bytes)?),
            Self::Tuple { parts, old } => {
                let old = *old && self.width().is_none();
                Read::Tuple(tuple(parts, old, bytes)?)
            }
            Self::Option { inner, niche } => match (niche, bytes.split_first()) {
                (true, _) if matches!(**inner, Self::Int { zero: false, .. }) => {
                    if bytes.iter().any(|byte| *byte != 0) { Read::Some(inner, bytes) } else { Read::None }
                }
                (false, Some((1, rest))) => Read::Some(inner, rest),
                // Where the width is fixed, zeroes fill the place.
                (false, Some((0, rest))) if rest.iter().all(|byte| *byte == 0) => {
                    let empty = rest.is_empty() || inner.width().is_some();
                    if empty { Read::None } else { return None }
                }
                _ => return None,
            },
        })
    }
}

/// A value and its parts, each with its type.
pub(crate) enum Read<'t, 'b> {
    Unit,
    Bool(bool),
    Char(char),
    Signed(i128),
    Unsigned(u128),
    Single(f32),
    Double(f64),
    Text(&'b str),
    Bytes(&'b [u8]),
    Tuple(Vec<(&'t Type, &'b [u8])>),
    List(Vec<(&'t Type, &'b [u8])>),
    None,
    Some(&'t Type, &'b [u8]),
}

/// Takes a length of one, three or five bytes, whichever is the shortest for it.
fn take_len(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    match first {
        254 => {
            let (len, rest) = rest.split_first_chunk()?;
            let len = u16::from_le_bytes(*len);
            (len >= 254).then_some((usize::from(len), rest))
        }
        255 => {
            let (len, rest) = rest.split_first_chunk()?;
            let len = u32::from_le_bytes(*len);
            (len > u16::MAX.into()).then_some((usize::try_from(len).ok()?, rest))
        }
        len => Some((usize::from(*len), rest)),
    }
}

/// Appends such a length.
#[cfg(feature = "redb2")]
pub(super) fn push_len(len: usize, out: &mut Vec<u8>) -> Option<()> {
    match u32::try_from(len).ok()? {
        len @ 0..254 => out.push(u8::try_from(len).ok()?),
        len @ 254..0x1_0000 => {
            out.push(254);
            out.extend_from_slice(&u16::try_from(len).ok()?.to_le_bytes());
        }
        len => {
            out.push(255);
            out.extend_from_slice(&len.to_le_bytes());
        }
    }
    Some(())
}

/// Takes a length of four bytes.
fn take_old_len(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    Some((usize::try_from(u32::from_le_bytes(*len)).ok()?, rest))
}

/// The lengths of all but the last part that vary in width, or in the old encoding of all but the last part; then the
/// parts.
pub(super) fn tuple<'a, 'b>(
    parts: &'a [Type],
    old: bool,
    mut bytes: &'b [u8],
) -> Option<Vec<(&'a Type, &'b [u8])>> {
    let (last, front) = parts.split_last()?;
    let mut lens = Vec::new();
    for part in front {
        lens.push(match part.width() {
            Some(width) if !old => width,
            width => {
                let (len, rest) = if old { take_old_len(bytes)? } else { take_len(bytes)? };
                bytes = rest;
                (width.is_none() || width == Some(len)).then_some(len)?
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
pub(super) fn array<'a, 'b>(
    inner: &'a Type,
    len: usize,
    bytes: &'b [u8],
) -> Option<Vec<(&'a Type, &'b [u8])>> {
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
pub(super) fn list<'a, 'b>(inner: &'a Type, bytes: &'b [u8]) -> Option<Vec<(&'a Type, &'b [u8])>> {
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
