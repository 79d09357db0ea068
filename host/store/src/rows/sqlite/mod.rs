//! A SQLite database.

mod cell;
mod names;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};

use super::{RowSink, Rows, Types, sink};
use crate::frame::Decoder;
use crate::redb::Partial;
use crate::{Error, ErrorCode, Origin, Result, Sink, Table};
use cell::{Cell, column};
use names::Names;

/// Makes a SQLite database of what is restored: a table for each table, with columns `key` and `value`, whose `rowid`s are
/// in the order of the store; `strongroom_tables`, which names them; and `strongroom`, which names the snapshot.
///
/// It is made beside its place as `NAME.strongroom-partial`, which has that name only when all of it is there and counted.
pub struct SqliteSink(RowSink<Database>);

impl SqliteSink {
    /// Into a new file. An existing one is refused, unless it may be overwritten; even then it stays whole until the new
    /// one is.
    pub fn new(target: &Path, overwrite: bool) -> Result<Self> {
        let (partial, _file) = Partial::create(target, overwrite)?;
        let connection = open(partial.path()).map_err(|error| unwritten(&error))?;
        let database = Database {
            connection,
            names: Names::default(),
            insert: String::new(),
            table: None,
            made: Vec::new(),
            partial,
        };
        Ok(Self(RowSink::new(database)))
    }
}

sink!(SqliteSink);

/// The version of the layout, in `user_version`.
const VERSION: u32 = 1;

/// No journal: the file counts only when it is published, and it is synced before.
const SETTINGS: &str = "
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -65536;
";

const LAYOUT: &str = "
    CREATE TABLE strongroom (name TEXT PRIMARY KEY NOT NULL, value);
    CREATE TABLE strongroom_tables (
        name TEXT PRIMARY KEY NOT NULL, sqlite_table TEXT NOT NULL, kind TEXT NOT NULL, entries INT NOT NULL,
        key_type TEXT NOT NULL, value_type TEXT NOT NULL
    );
";

fn open(path: &Path) -> rusqlite::Result<Connection> {
    // One thread at a time drives a sink.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch(SETTINGS)?;
    connection.pragma_update(None, "user_version", VERSION)?;
    connection.execute_batch("BEGIN")?;
    connection.execute_batch(LAYOUT)?;
    Ok(connection)
}

struct Database {
    // Before the file, which is removed unless it is published.
    connection: Connection,
    names: Names,
    /// What inserts an entry into the table at hand.
    insert: String,
    table: Option<Made>,
    made: Vec<Made>,
    partial: Partial,
}

/// A table, by its name in SQLite.
struct Made {
    name: String,
    quoted: String,
    entries: u64,
}

fn unwritten(error: &rusqlite::Error) -> Error {
    use rusqlite::ffi::ErrorCode as S;
    let code = match error.sqlite_error_code() {
        Some(S::DiskFull) => ErrorCode::Full,
        Some(S::SystemIoFailure) => ErrorCode::Io,
        Some(S::PermissionDenied | S::ReadOnly | S::CannotOpen) => ErrorCode::Denied,
        Some(S::TooBig) => {
            let message = "SQLite holds no key and no value of more than 1,000,000,000 bytes, and no entry either. Restore to redb \
                           or to JSON Lines instead";
            return Error::new(ErrorCode::Unsupported, message);
        }
        Some(S::ConstraintViolation | S::TypeMismatch | S::DatabaseCorrupt) => ErrorCode::Corrupt,
        _ => ErrorCode::Other,
    };
    Error::new(code, format!("writing the SQLite database: {error}"))
}

fn count(entries: u64) -> i64 {
    i64::try_from(entries).unwrap_or(i64::MAX)
}

impl Database {
    fn begin(&mut self, table: &Table, types: &Types) -> rusqlite::Result<()> {
        let name = self.names.choose(&table.name);
        let quoted = names::quoted(&name);
        let (key, value) = (column(types.key.as_ref()), column(types.value.as_ref()));
        let columns = if table.multimap {
            format!("\"key\" {key}, \"value\" {value}, PRIMARY KEY (\"key\", \"value\")")
        } else if cell::is_rowid(types.key.as_ref()) {
            format!("\"key\" INTEGER PRIMARY KEY, \"value\" {value}")
        } else {
            format!("\"key\" {key}, \"value\" {value}, PRIMARY KEY (\"key\")")
        };
        self.connection.execute(&format!("CREATE TABLE {quoted} ({columns})"), [])?;
        let kind = if table.multimap { "multimap" } else { "table" };
        self.connection.execute(
            "INSERT INTO strongroom_tables VALUES (?, ?, ?, ?, ?, ?)",
            params![table.name, name, kind, count(table.entries), table.key_type, table.value_type],
        )?;
        self.insert = format!("INSERT INTO {quoted} (\"key\", \"value\") VALUES (?, ?)");
        self.table = Some(Made { name, quoted, entries: 0 });
        Ok(())
    }

    fn describe(&self, origin: &Origin) -> rusqlite::Result<()> {
        self.connection.execute_batch("BEGIN")?;
        {
            let mut insert = self.connection.prepare("INSERT INTO strongroom VALUES (?, ?)")?;
            insert.execute(params!["snapshot", origin.name])?;
            insert.execute(params!["id", origin.id])?;
            insert.execute(params!["source", origin.source])?;
            insert.execute(params!["time", count(origin.time)])?;
            // As a text where it is too large for SQLite.
            match origin.position.map(|position| i64::try_from(position).map_err(|_| position.to_string())) {
                None => insert.execute(params!["position", None::<i64>])?,
                Some(Ok(position)) => insert.execute(params!["position", position])?,
                Some(Err(position)) => insert.execute(params!["position", position])?,
            };
            insert.execute(params!["labels", serde_json::json!(origin.labels).to_string()])?;
        }
        self.connection.execute_batch("COMMIT")
    }

    /// What SQLite says that it has.
    fn counted(&self, table: &Made) -> rusqlite::Result<u64> {
        let counted: i64 =
            self.connection
                .query_row(&format!("SELECT count(*) FROM {}", table.quoted), [], |row| row.get(0))?;
        Ok(u64::try_from(counted).unwrap_or_default())
    }
}

impl Rows for Database {
    fn begin(&mut self, table: &Table, types: &Types) -> Result<()> {
        Database::begin(self, table, types).map_err(|error| unwritten(&error))
    }

    fn append(&mut self, types: &Types, decoder: &mut Decoder, piece: &[u8]) -> Result<u64> {
        let mut insert = self.connection.prepare(&self.insert).map_err(|error| unwritten(&error))?;
        let mut entries = 0;
        decoder.decode(piece, |key, value| {
            let (key, value) = (Cell::of(types.key.as_ref(), key), Cell::of(types.value.as_ref(), value));
            insert.execute(params![key, value]).map_err(|error| unwritten(&error))?;
            entries += 1;
            Ok(())
        })?;
        Ok(entries)
    }

    fn end(&mut self, entries: u64) -> Result<()> {
        self.made.extend(self.table.take().map(|table| Made { entries, ..table }));
        Ok(())
    }

    fn abandon(&mut self) -> Result<()> {
        let Some(table) = self.table.take() else { return Ok(()) };
        let abandon = || {
            self.connection.execute(&format!("DROP TABLE {}", table.quoted), [])?;
            self.connection.execute("DELETE FROM strongroom_tables WHERE sqlite_table = ?", [&table.name])
        };
        abandon().map(drop).map_err(|error| unwritten(&error))
    }

    fn finish(&mut self) -> Result<()> {
        self.connection.execute_batch("COMMIT").map_err(|error| unwritten(&error))?;
        for table in &self.made {
            let counted = self.counted(table).map_err(|error| unwritten(&error))?;
            if counted != table.entries {
                let message = format!(
                    "the SQLite database has {counted} entries in table {:?}, which {} were written to",
                    table.name, table.entries
                );
                return Err(Error::new(ErrorCode::Corrupt, message));
            }
        }
        self.partial.sync()
    }

    fn describe(&mut self, origin: &Origin) -> Result<()> {
        Database::describe(self, origin).map_err(|error| unwritten(&error))
    }

    fn publish(self) -> Result<()> {
        self.connection.close().map_err(|(_, error)| unwritten(&error))?;
        self.partial.sync()?;
        self.partial.publish()
    }

    fn directories(&self) -> Option<Vec<PathBuf>> {
        self.partial.directory().map(|dir| vec![dir])
    }
}
