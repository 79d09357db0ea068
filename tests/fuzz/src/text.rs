//! Where an application's position stands, and keys and values as text.

use std::sync::OnceLock;

use redb::backends::InMemoryBackend;
use redb::{Database, MultimapTableDefinition, TableDefinition};
use strongroom_store::redb::{RedbStore, key_from_text, to_text};
use strongroom_store::{ErrorCode, Store as _};

/// The name of a type and a stored value, which a zero byte parts; and all of it as `--position TABLE/KEY`.
pub(crate) fn position(data: &[u8]) {
    let at = String::from_utf8_lossy(data);
    match store().position(&at) {
        Ok(position) => assert!(position < 1000, "{at:?} is {position}"),
        Err(e) => assert!(e.code == ErrorCode::NotFound && e.message.contains("no position"), "{e:?}"),
    }

    let mut halves = data.splitn(2, |byte| *byte == 0);
    let name = String::from_utf8_lossy(halves.next().unwrap_or_default());
    let stored = halves.next().unwrap_or_default();
    let text = to_text(&name, stored);
    // What is not of its type is shown in hexadecimal digits.
    let shown = !text.starts_with("0x");
    let integer = name.strip_prefix(['u', 'i']).is_some_and(|width| width.parse::<u8>().is_ok());
    if name == "&[u8]" || (shown && (name == "bool" || name == "char" || integer)) {
        assert_eq!(key_from_text(&name, &text).as_deref(), Some(stored), "{name} {text:?}");
    }
    if let Some(key) = key_from_text(&name, &String::from_utf8_lossy(stored)) {
        to_text(&name, &key);
    }
}

/// A database with tables of many types, whose positions are all below 1,000.
fn store() -> &'static RedbStore {
    // The store reads only as long as the application has its database open.
    static OPEN: OnceLock<(Database, RedbStore)> = OnceLock::new();
    let open = || {
        let database = Database::builder().create_with_backend(InMemoryBackend::new());
        let database = fill(database.expect("memory takes a database"));
        let store = RedbStore::live(&database).expect("a new database is read");
        (database, store)
    };
    &OPEN.get_or_init(open).1
}

fn fill(database: Database) -> Database {
    let fill = || -> Result<(), redb::Error> {
        let txn = database.begin_write()?;
        txn.open_table(TableDefinition::<&str, u64>::new("state"))?.insert("height", 345)?;
        txn.open_table(TableDefinition::<&str, u64>::new("state/deep"))?.insert("a/b", 346)?;
        txn.open_table(TableDefinition::<u8, u128>::new("bytes"))?.insert(7, 347)?;
        txn.open_table(TableDefinition::<i64, i64>::new("signed"))?.insert(-3, 348)?;
        txn.open_table(TableDefinition::<i64, i64>::new("signed"))?.insert(3, -348)?;
        txn.open_table(TableDefinition::<&[u8], &str>::new("text"))?.insert(b"\x01\xff".as_slice(), "349")?;
        txn.open_table(TableDefinition::<[u8; 3], u16>::new("array"))?.insert([1, 2, 3], 350)?;
        txn.open_table(TableDefinition::<(u8, &str), u16>::new("tuple"))?.insert((1, "x"), 351)?;
        txn.open_table(TableDefinition::<char, bool>::new("/"))?.insert('c', true)?;
        txn.open_multimap_table(MultimapTableDefinition::<u8, u64>::new("many"))?.insert(1, 352)?;
        txn.commit()?;
        Ok(())
    };
    fill().expect("memory takes these tables");
    database
}
