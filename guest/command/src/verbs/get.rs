//! `get`

use std::io::Write;
use std::ops::ControlFlow;

use strongroom_core::{Error, ErrorCode, Snapshot, Table};
use strongroom_store::redb::{key_from_text, to_text};

use crate::host::Repository;
use crate::output::json;
use crate::output::out::stdout;
use crate::session::{Session, find_table};
use strongroom_core::text::visible;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom get latest accounts alice
    strongroom get latest blobs 7 --raw > picture.png
    strongroom get latest events 0x2a00000000000000
        the stored bytes of a key, for types that have no text

Integers are decimal, strings are as they are. A multimap answers with every
value of the key, a line each.")]
pub(crate) struct Args {
    /// Which snapshot: a name, the beginning of an id, or `latest`
    snapshot: String,

    /// Which table
    table: String,

    /// The key, in the type of the table's keys; `0x...` is its stored bytes
    #[arg(allow_hyphen_values = true)]
    key: String,

    /// Print the stored bytes of the value and nothing else
    #[arg(long, conflicts_with = "json")]
    raw: bool,
}

pub(crate) fn run(session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let repository = session.repository()?;
    let (snapshot, table) = find_table(&*repository, &args.snapshot, &args.table)?;
    let keys = keys(&table, &args.key)?;
    let mut values = Vec::new();
    let mut found = None;
    for key in &keys {
        values = look_up(&*repository, &snapshot, &table, key)?;
        if !values.is_empty() {
            found = Some(key);
            break;
        }
    }
    let Some(key) = found else {
        let message = format!(
            "table {:?} of snapshot {:?} has no key {}",
            table.name,
            snapshot.name,
            visible(&args.key)
        );
        return Err(Error::new(ErrorCode::NotFound, message).into());
    };
    let mut out = stdout();
    for value in &values {
        if args.raw {
            out.write_all(value)?;
        } else if session.json() {
            json::line(&mut out, &json::entry(&table.key_type, &table.value_type, key, value))?;
        } else {
            writeln!(out, "{}", visible(&to_text(&table.value_type, value)))?;
        }
    }
    Ok(out.flush()?)
}

/// The stored bytes that the text may mean, the likelier ones first.
fn keys(table: &Table, text: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut keys: Vec<Vec<u8>> = key_from_text(&table.key_type, text).into_iter().collect();
    keys.extend(from_hex(text).filter(|bytes| keys.first() != Some(bytes)));
    if keys.is_empty() {
        let message = format!(
            "{text:?} is not a key of table {:?}, whose keys are of type {}; give one of that type, or its stored bytes \
             as 0x and hexadecimal digits",
            table.name,
            visible(&table.key_type)
        );
        return Err(Error::new(ErrorCode::Invalid, message).into());
    }
    Ok(keys)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?;
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16));
    pairs.collect::<Result<_, _>>().ok()
}

/// The values of a key. The order of the keys is the store's own, so all before it are read.
fn look_up(
    repository: &dyn Repository,
    snapshot: &Snapshot,
    table: &Table,
    key: &[u8],
) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut values = Vec::new();
    repository.scan(&snapshot.name, &table.name, &mut |stored, value| {
        if stored == key {
            values.push(value.to_vec());
        }
        // The pairs of a key in a multimap stand together.
        let over = !values.is_empty() && (stored != key || !table.multimap);
        Ok(if over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::from_hex;

    #[test]
    fn hexadecimal_digits_come_in_pairs() {
        assert_eq!(from_hex("0x00fF"), Some(vec![0, 255]));
        assert_eq!(from_hex("0x"), Some(vec![]));
        for wrong in ["00", "0x0", "0xgg", "0x+1", "0xé"] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }
}
