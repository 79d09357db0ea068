//! `--json`: one object per line. JSON.md says which fields each verb has.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value};
use strongroom::store::redb::to_text;

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

/// Puts stored bytes of this type into an object: text as `name`, other known types as `name` and `name_b64`, all else
/// as `name_b64`.
pub(crate) fn put_stored(object: &mut Map<String, Value>, name: &str, type_name: &str, bytes: &[u8]) {
    if matches!(type_name, "&str" | "String")
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        object.insert(name.to_owned(), text.into());
        return;
    }
    let text = to_text(type_name, bytes);
    // So looks what has no text of its own.
    if !text.starts_with("0x") {
        object.insert(name.to_owned(), text.into());
    }
    object.insert(format!("{name}_b64"), STANDARD.encode(bytes).into());
}

/// An entry as an object.
pub(crate) fn entry(key_type: &str, value_type: &str, key: &[u8], value: &[u8]) -> Value {
    let mut object = Map::new();
    object.insert("type".to_owned(), "entry".into());
    put_stored(&mut object, "key", key_type, key);
    put_stored(&mut object, "value", value_type, value);
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_told_so_that_nothing_is_lost() {
        let entry = |key_type, value_type, key: &[u8], value: &[u8]| entry(key_type, value_type, key, value).to_string();
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
