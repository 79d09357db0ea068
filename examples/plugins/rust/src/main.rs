//! A plugin that prints a database as JSON Lines: one object per entry, of all tables or of those that it is told.

wit_bindgen::generate!({ path: "../../../wit/deps/kv", world: "plugin" });

use std::io::{BufWriter, Write};

use serde_json::{Value, json};
use strongroom::kv::kv_store::{self, Bytes};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let store = kv_store::open("")?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    for table in store.tables()? {
        if !wanted.is_empty() && !wanted.contains(&table.name) {
            continue;
        }
        let mut entries = Entries { bytes: store.scan(&table.name, None, None)?, ahead: Vec::new() };
        while let Some((key, value)) = entries.next()? {
            let (key, value) = (readable(&table.key_type, &key), readable(&table.value_type, &value));
            writeln!(out, "{}", json!({ "table": table.name, "key": key, "value": value }))?;
        }
    }
    Ok(out.flush()?)
}

/// Entries, out of the stream of bytes in which they travel.
struct Entries {
    bytes: Bytes,
    /// What was read and not yet taken.
    ahead: Vec<u8>,
}

/// A key and its value.
type Entry = (Vec<u8>, Vec<u8>);

impl Entries {
    /// The next key and its value: `key-len: u32 LE, value-len: u32 LE, key, value`.
    fn next(&mut self) -> Result<Option<Entry>, Box<dyn std::error::Error>> {
        if !self.fill(8)? {
            return Ok(None);
        }
        let len = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| self.ahead[at + i])) as usize;
        let (key, value) = (len(0), len(4));
        if !self.fill(8 + key + value)? {
            return Err("the last entry is cut off".into());
        }
        let entry: Vec<u8> = self.ahead.drain(..8 + key + value).skip(8).collect();
        Ok(Some((entry[..key].to_vec(), entry[key..].to_vec())))
    }

    /// Reads until so many bytes are ahead; an entry may be cut anywhere.
    fn fill(&mut self, len: usize) -> Result<bool, kv_store::Error> {
        while self.ahead.len() < len {
            let read = self.bytes.read(64 << 10)?;
            if read.is_empty() {
                return Ok(false);
            }
            self.ahead.extend(read);
        }
        Ok(true)
    }
}

/// Text and numbers as what they are, everything else as hexadecimal digits.
fn readable(stored_as: &str, bytes: &[u8]) -> Value {
    match (stored_as, <[u8; 8]>::try_from(bytes), std::str::from_utf8(bytes)) {
        ("u64", Ok(number), _) => u64::from_le_bytes(number).into(),
        ("&str" | "String" | "alloc::string::String", _, Ok(text)) => text.into(),
        _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
    }
}
