//! `--json`: one object per line. JSON.md says which fields each verb has.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use strongroom_store::redb::to_text;

/// Writes one line.
pub(crate) fn line(to: &mut impl Write, object: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string(object).map_err(io::Error::other)?;
    text.push('\n');
    to.write_all(text.as_bytes())
}

/// Gives an object the member that tells its kind.
#[derive(Serialize)]
pub(crate) struct Typed<'o, T> {
    pub(crate) r#type: &'static str,
    #[serde(flatten)]
    pub(crate) object: &'o T,
}

/// Writes one line of this kind.
pub(crate) fn typed(to: &mut impl Write, kind: &'static str, object: &impl Serialize) -> io::Result<()> {
    line(to, &Typed { r#type: kind, object })
}

/// An entry of a table: of key and value each the text, the bytes, or both.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_b64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_b64: Option<String>,
}

/// An entry of a table with these types.
pub(crate) fn entry(key_type: &str, value_type: &str, key: &[u8], value: &[u8]) -> Entry {
    let (key, key_b64) = stored(key_type, key);
    let (value, value_b64) = stored(value_type, value);
    Entry { r#type: "entry", key, key_b64, value, value_b64 }
}

/// A key: the text, the bytes, or both.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Key {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_b64: Option<String>,
}

/// A key of this type.
pub(crate) fn key(key_type: &str, key: &[u8]) -> Key {
    let (key, key_b64) = stored(key_type, key);
    Key { key, key_b64 }
}

/// Text is itself and needs no bytes beside it; other known types have both; all else has bytes alone.
fn stored(type_name: &str, bytes: &[u8]) -> (Option<String>, Option<String>) {
    if matches!(type_name, "&str" | "String")
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return (Some(text.to_owned()), None);
    }
    // So looks what has no text of its own.
    let text = Some(to_text(type_name, bytes)).filter(|text| !text.starts_with("0x"));
    (text, Some(STANDARD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_told_so_that_nothing_is_lost() {
        let entry = |key_type, value_type, key: &[u8], value: &[u8]| {
            serde_json::to_string(&entry(key_type, value_type, key, value)).unwrap()
        };
        assert_eq!(entry("&str", "&str", b"0xff", b""), r#"{"type":"entry","key":"0xff","value":""}"#);
        assert_eq!(
            entry("u64", "&[u8]", &7_u64.to_le_bytes(), b"\xff"),
            r#"{"type":"entry","key":"7","key_b64":"BwAAAAAAAAA=","value_b64":"/w=="}"#
        );
        assert_eq!(
            entry("user:Id", "&str", b"a", b"\xff"),
            r#"{"type":"entry","key_b64":"YQ==","value_b64":"/w=="}"#
        );
    }
}
