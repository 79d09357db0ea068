//! Sinks for people who want to look: what is restored becomes [JSON Lines](JsonLinesSink) or a
//! [SQLite database](SqliteSink) instead of a redb database.
//!
//! They take what any store gave, need no template, and lose nothing of an entry: keys and values of built-in types are
//! told as what they are, all others, and what is not what its type says, as their bytes.

mod json;
mod jsonl;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use jsonl::JsonLinesSink;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteSink;

use crate::frame::Decoder;
use crate::redb::value::Type;
use crate::{Error, ErrorCode, Origin, Result, Sink, Table};
use std::path::PathBuf;

/// What becomes of tables and their entries.
trait Rows: Send {
    /// Begins a table.
    fn begin(&mut self, table: &Table, types: &Types) -> Result<()>;
    /// Takes the entries that a piece completes, and says how many.
    fn append(&mut self, types: &Types, decoder: &mut Decoder, piece: &[u8]) -> Result<u64>;
    /// Ends the table, which took so many.
    fn end(&mut self, entries: u64) -> Result<()>;
    /// Takes back what there is of the table.
    fn abandon(&mut self) -> Result<()>;
    /// Makes all of it durable.
    fn finish(&mut self) -> Result<()>;
    /// Notes which snapshot it was.
    fn describe(&mut self, origin: &Origin) -> Result<()>;
    /// Gives it its name.
    fn publish(self) -> Result<()>;
    /// Where its files are.
    fn directories(&self) -> Option<Vec<PathBuf>>;
}

/// What keys and values are; none where nobody here knows.
struct Types {
    key: Option<Type>,
    value: Option<Type>,
}

/// Rows as a sink: takes the stream of entries apart, and holds to the order of calls.
struct RowSink<R> {
    rows: R,
    created: bool,
    table: Option<Filling>,
    finished: bool,
    failed: Option<Error>,
}

struct Filling {
    name: String,
    types: Types,
    decoder: Decoder,
    entries: u64,
}

fn misuse(what: &str) -> Error {
    Error::new(ErrorCode::Other, format!("a sink was used out of order: {what}"))
}

impl<R: Rows> RowSink<R> {
    fn new(rows: R) -> Self {
        Self { rows, created: false, table: None, finished: false, failed: None }
    }

    /// After an error of what is written to, nothing more is written.
    fn go_on(&self) -> Result<()> {
        match &self.failed {
            Some(error) => Err(error.clone()),
            None if !self.created => Err(misuse("it is not created yet")),
            None if self.finished => Err(misuse("it is finished")),
            None => Ok(()),
        }
    }

    fn note<T>(&mut self, done: Result<T>) -> Result<T> {
        done.map_err(|error| {
            let error = match &self.table {
                Some(table) if !error.message.contains(&format!("{:?}", table.name)) => {
                    Error::new(error.code, format!("restoring table {:?}: {}", table.name, error.message))
                }
                _ => error,
            };
            self.failed = Some(error.clone());
            error
        })
    }

    fn between_tables(&self) -> Result<()> {
        match &self.table {
            Some(open) => Err(misuse(&format!("table {:?} is not finished", open.name))),
            None => Ok(()),
        }
    }
}

impl<R: Rows> Sink for RowSink<R> {
    fn create(&mut self, _template: &[u8]) -> Result<()> {
        if self.created {
            return Err(misuse("it is created already"));
        }
        self.created = true;
        Ok(())
    }

    fn table(&mut self, table: &Table) -> Result<()> {
        self.go_on()?;
        self.between_tables()?;
        let types = Types { key: Type::parse(&table.key_type), value: Type::parse(&table.value_type) };
        let begun = self.rows.begin(table, &types);
        self.table = Some(Filling { name: table.name.clone(), types, decoder: Decoder::new(), entries: 0 });
        self.note(begun)
    }

    fn append(&mut self, entries: &[u8]) -> Result<()> {
        self.go_on()?;
        let filling = self.table.as_mut().ok_or_else(|| misuse("no table is begun"))?;
        let taken = self.rows.append(&filling.types, &mut filling.decoder, entries);
        if let Ok(taken) = &taken {
            filling.entries += taken;
        }
        match taken {
            // The entries are at fault, so the table can be given up.
            Err(error) if error.code == ErrorCode::Corrupt => Err(error),
            other => self.note(other).map(drop),
        }
    }

    fn finish_table(&mut self) -> Result<u64> {
        self.go_on()?;
        let filling = self.table.as_ref().ok_or_else(|| misuse("no table is begun"))?;
        filling.decoder.finish()?;
        let entries = filling.entries;
        let ended = self.rows.end(entries);
        self.note(ended)?;
        self.table = None;
        Ok(entries)
    }

    fn abandon_table(&mut self) -> Result<()> {
        self.go_on()?;
        self.table.as_ref().ok_or_else(|| misuse("no table is begun"))?;
        let abandoned = self.rows.abandon();
        self.note(abandoned)?;
        self.table = None;
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.go_on()?;
        self.between_tables()?;
        let finished = self.rows.finish();
        self.note(finished)?;
        self.finished = true;
        Ok(())
    }

    fn describe(&mut self, origin: &Origin) -> Result<()> {
        if !self.finished {
            return Err(misuse("it is not finished"));
        }
        let described = self.rows.describe(origin);
        self.note(described)
    }

    fn publish(self: Box<Self>) -> Result<()> {
        match self.failed {
            Some(error) => Err(error),
            None if !self.finished => Err(misuse("it is not finished")),
            None => self.rows.publish(),
        }
    }

    fn directories(&self) -> Option<Vec<PathBuf>> {
        self.rows.directories()
    }
}

/// Makes a public sink of rows: everything is done by what it holds.
macro_rules! sink {
    ($name:ty) => {
        impl Sink for $name {
            fn create(&mut self, template: &[u8]) -> Result<()> {
                self.0.create(template)
            }
            fn table(&mut self, table: &Table) -> Result<()> {
                self.0.table(table)
            }
            fn append(&mut self, entries: &[u8]) -> Result<()> {
                self.0.append(entries)
            }
            fn finish_table(&mut self) -> Result<u64> {
                self.0.finish_table()
            }
            fn abandon_table(&mut self) -> Result<()> {
                self.0.abandon_table()
            }
            fn finish(&mut self) -> Result<()> {
                self.0.finish()
            }
            fn describe(&mut self, origin: &Origin) -> Result<()> {
                self.0.describe(origin)
            }
            fn publish(self: Box<Self>) -> Result<()> {
                Box::new(self.0).publish()
            }
            fn directories(&self) -> Option<Vec<PathBuf>> {
                self.0.directories()
            }
        }
    };
}
use sink;
