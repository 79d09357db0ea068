//! SQLite databases, read back with SQLite.

use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;
use strongroom_store::rows::SqliteSink;

use crate::json::Json;
use crate::model::{Kind, Model, fill, integer, tables};

/// The bytes that stand in a row as this.
fn bytes(kind: &Kind, value: &Value) -> Vec<u8> {
    match (kind, value) {
        // What is bytes, or is not what its type says.
        (_, Value::Blob(bytes)) => bytes.clone(),
        (_, Value::Null) => kind.bytes(&Json::Null),
        (Kind::Option(inner), value) if inner.is_scalar() => [vec![1], bytes(inner, value)].concat(),
        (Kind::Bool, Value::Integer(value)) => vec![u8::try_from(*value).unwrap()],
        (Kind::Int { signed, width }, Value::Integer(number)) => {
            integer(&number.to_string(), *signed, *width)
        }
        (Kind::NonZero, Value::Integer(number)) => integer(&number.to_string(), false, 4),
        (Kind::Int { signed, width }, Value::Text(digits)) => {
            assert!(*width >= 8 && digits.len() >= 20);
            integer(digits, *signed, *width)
        }
        (Kind::Float { width: 4 }, Value::Real(number)) => (*number as f32).to_le_bytes().to_vec(),
        (Kind::Float { .. }, Value::Real(number)) => number.to_le_bytes().to_vec(),
        (Kind::Str, Value::Text(text)) => text.clone().into_bytes(),
        (Kind::Char, Value::Text(text)) => kind.bytes(&Json::Text(text.clone())),
        (_, Value::Text(json)) => kind.bytes(&Json::parse(json)),
        _ => panic!("{value:?} is no {kind:?}"),
    }
}

fn read(connection: &Connection, model: &Model) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (table, kind, entries): (String, String, i64) = connection
        .query_row(
            "SELECT sqlite_table, kind, entries FROM strongroom_tables WHERE name = ?",
            [&model.name],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .unwrap();
    assert_eq!(kind, if model.multimap { "multimap" } else { "table" });
    assert_eq!(entries, model.entries.len() as i64);
    let quoted = table.replace('"', "\"\"");
    let mut rows =
        connection.prepare(&format!("SELECT key, value FROM \"{quoted}\" ORDER BY rowid")).unwrap();
    let rows = rows.query_map([], |row| Ok((row.get::<_, Value>(0)?, row.get::<_, Value>(1)?))).unwrap();
    rows.map(|row| row.map(|(key, value)| (bytes(&model.key, &key), bytes(&model.value, &value))).unwrap())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn every_entry_comes_back_out_of_sqlite(tables in tables(), max in 1..2000_usize) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.sqlite");
        fill(Box::new(SqliteSink::new(&path, false).unwrap()), &tables, max).unwrap();
        let connection = Connection::open(&path).unwrap();
        let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        prop_assert_eq!(sound, "ok");
        for model in &tables {
            let mut rows = read(&connection, model);
            let mut entries = model.entries.clone();
            // Of the types that are SQLite's own integers the order is theirs, which is that of redb.
            if matches!(model.key, Kind::Int { .. }) {
                rows.sort();
                entries.sort();
            }
            prop_assert_eq!(rows, entries);
        }
        let mut names: Vec<String> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        prop_assert_eq!(names, ["out.sqlite"]);
    }
}

#[test]
fn what_sqlite_has_no_integer_for_still_sorts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.sqlite");
    let numbers = [
        0,
        5,
        i64::MAX as u64,
        i64::MAX as u64 + 1,
        9_999_999_999_999_999_999,
        10_000_000_000_000_000_000,
        u64::MAX,
    ];
    let entries = numbers.iter().map(|number| (number.to_le_bytes().to_vec(), vec![])).collect();
    let key = Kind::Int { signed: false, width: 8 };
    let model = Model { name: "numbers".into(), multimap: false, key, value: Kind::Unit, entries };
    fill(Box::new(SqliteSink::new(&path, false).unwrap()), &[model], 100).unwrap();
    let connection = Connection::open(&path).unwrap();
    let all = |query: &str| -> Vec<String> {
        let mut rows = connection.prepare(query).unwrap();
        let rows = rows.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let sorted = all("SELECT CAST(key AS TEXT) FROM numbers ORDER BY key");
    let in_order: Vec<u64> = sorted.iter().map(|digits| digits.parse().unwrap()).collect();
    assert_eq!(in_order, numbers);
    assert_eq!(all("SELECT CAST(count(*) AS TEXT) FROM numbers WHERE key > 5"), ["5"]);
    let said = all("SELECT name || '=' || value FROM strongroom ORDER BY name");
    assert_eq!(said[0], format!("id={}", "ab".repeat(32)));
    assert!(
        said.contains(&"snapshot=app-\"1\"".to_owned()) && said.contains(&format!("position={}", u64::MAX))
    );
}
