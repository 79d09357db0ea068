//! One moment of a redb database, as a [`Store`].

use super::contain::contain;
use super::fault::fault;
use super::pages::{self, Baseline, Changed, Counts, Definition, Pages, Slot, Stamp, Tables};
use super::part::{self, At, MAX_PARTS, Mark};
#[cfg(feature = "redb2")]
use super::recode::{self, Recoding};
use super::scan::{Doubts, Scan, Stretch};
use super::schema::{self, Schema};
use super::{open, pinned, position, size, template};
use crate::{Changes, Entries, Error, ErrorCode, LEFT_BEHIND, Result, Store, Table};
use redb::{Database, ReadOnlyDatabase, ReadTransaction, ReadableDatabase};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// One moment of a redb database: a read transaction and what it sees.
///
/// Writers are not held up by it, but redb reuses no page that was in use at that moment or since, so the file grows
/// until the store and all its [`Entries`] are dropped.
pub struct RedbStore {
    // Tables before the moment that they are of.
    tables: Mutex<Option<Arc<[Known]>>>,
    moment: Arc<Moment>,
    committed: Option<Committed>,
    /// The tables as the pages have them; none if that is not what redb sees.
    defined: OnceLock<Option<Tables>>,
    /// What scans learnt of the pages.
    counts: Arc<Counts>,
    doubts: Arc<Doubts>,
    notes: Vec<(String, String)>,
    /// Where the database is, if that is known.
    path: Option<PathBuf>,
}

/// A table and what is needed to open it.
pub(super) struct Known {
    /// As it is stored.
    pub(super) schema: Schema,
    /// As it is told.
    pub(super) table: Table,
    /// What it becomes, if it is told otherwise than it is stored.
    #[cfg(feature = "redb2")]
    recoded: Option<(Schema, Recoding)>,
}

/// What of a redb database is in no backup of it: nobody can ask redb for it.
const WHAT_STAYS: &str = "savepoints; the file's format, free pages and settings; how the application's own key types compare \
                          (the order of their keys is kept)";

/// What keeps a moment. The transaction goes before its database, and the lock on the file last.
pub(super) struct Moment {
    pub(super) txn: ReadTransaction,
    _database: Option<ReadOnlyDatabase>,
    /// Set for what redb 2 wrote.
    held: Option<File>,
    #[cfg(not(target_family = "wasm"))]
    _away: Option<super::unclean::Away>,
}

/// The commit in the file that a moment is.
pub(super) struct Committed {
    pub(super) pages: Pages,
    pub(super) slot: Slot,
}

impl RedbStore {
    /// The present moment of a database that this process has open. It sees all commits, also those that are not
    /// durable yet.
    pub fn live(database: &Database) -> Result<Self> {
        let txn = contain("beginning to read", || {
            database.begin_read().map_err(|error| fault("beginning to read the database", error))
        })?;
        Ok(Self::of(txn))
    }

    /// The same, with the file of the database, so that this store can tell what changed.
    ///
    /// For that it makes a commit that is empty: redb does not say otherwise which commit in its file it sees. Commits that
    /// were not durable become so with it. It waits some seconds for the application's writers; the thread that calls
    /// this must not have a write transaction. If it cannot be known which commit of the file is seen, the notes say so,
    /// and the store is as [`RedbStore::live`] makes it.
    pub fn live_with_file(database: &Database, path: &Path) -> Result<Self> {
        let (txn, committed) = contain("beginning to read", || pinned::begin(database, path))?;
        let mut this = Self::of(txn);
        this.path = Some(path.to_owned());
        match committed {
            Ok(committed) => this.committed = Some(committed),
            Err(error) => this.notes.push(("changes".to_owned(), error.message)),
        }
        Ok(this)
    }

    /// The moment of a read transaction that this process has begun.
    pub fn of(txn: ReadTransaction) -> Self {
        let notes = [
            ("opened", "in process"),
            ("durability", "read in process: commits that were not yet durable are included"),
        ];
        Self::new(
            Moment {
                txn,
                _database: None,
                held: None,
                #[cfg(not(target_family = "wasm"))]
                _away: None,
            },
            None,
            notes,
        )
    }

    /// The present moment of a database file, which is never written to.
    ///
    /// The database may be open in another process if that opened it to be shared
    /// ([`ConcurrencyMode::SingleWriter`](redb::ConcurrencyMode::SingleWriter) or `MultiWriter`); otherwise that is
    /// [`ErrorCode::Busy`].
    ///
    /// With the feature `redb2` it may have redb's file format 2, which redb 4 refuses: it is then upgraded in memory, and
    /// restores as a database of today.
    ///
    /// A file that was not closed cleanly is repaired in memory by redb itself, while no writer may open it; that may mean
    /// to read all of it.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_unless(path, || false)
    }

    /// The same, given up when this function says so during a repair in memory.
    pub fn open_unless(path: &Path, cancelled: impl Fn() -> bool + 'static) -> Result<Self> {
        let opened = open::read_only(path, cancelled)?;
        let notes =
            [("opened", opened.how), ("durability", "read from the file: only durable commits are included")];
        let moment = Moment {
            txn: opened.txn,
            _database: Some(opened.database),
            held: opened.held,
            #[cfg(not(target_family = "wasm"))]
            _away: opened.away,
        };
        let this = Self::new(moment, opened.committed, notes);
        Ok(Self { path: Some(path.to_owned()), ..this })
    }

    fn new(moment: Moment, committed: Option<Committed>, notes: [(&str, &str); 2]) -> Self {
        let notes = notes.into_iter().chain([(LEFT_BEHIND, WHAT_STAYS)]);
        Self {
            tables: Mutex::new(None),
            moment: Arc::new(moment),
            committed,
            defined: OnceLock::new(),
            counts: Arc::default(),
            doubts: Arc::default(),
            notes: notes.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            path: None,
        }
    }

    #[cfg(test)]
    pub(super) fn with_pages(mut self, pages: Pages, slot: Slot) -> Self {
        self.committed = Some(Committed { pages, slot });
        self
    }

    fn known(&self) -> Result<Arc<[Known]>> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tables) = &*tables {
            return Ok(Arc::clone(tables));
        }
        let txn = &self.moment.txn;
        let known = contain("listing the tables", || {
            let old = self.moment.held.is_some();
            template::schemas(txn)?
                .into_iter()
                .map(|schema| Known::new(txn, schema, old))
                .collect::<Result<Arc<[_]>>>()
        })?;
        Ok(Arc::clone(tables.insert(known)))
    }

    /// Runs `work` with the table of this name.
    fn with<T>(&self, name: &str, work: impl FnOnce(&Known) -> Result<T>) -> Result<T> {
        let known = self.known()?;
        let index = self.index(&known, name)?;
        contain(&format!("reading table {name:?}"), || work(&known[index]))
            .map_err(|error| in_table(name, error))
    }

    /// Where a table is among all.
    fn index(&self, known: &[Known], name: &str) -> Result<usize> {
        let found = known.binary_search_by(|known| known.table.name.as_bytes().cmp(name.as_bytes()));
        found.map_err(|_| Error::new(ErrorCode::NotFound, format!("the database has no table {name:?}")))
    }

    /// A table in the pages that is no multimap, and whose entries may be read from there.
    fn plain(&self, name: &str) -> Result<Option<(Pages, Definition)>> {
        Ok(self.defined(name)?.filter(|(_, defined)| !defined.multimap && !self.doubts.any()))
    }

    /// A table in the pages; `None` if what redb sees is not known to be what is there.
    fn defined(&self, name: &str) -> Result<Option<(Pages, Definition)>> {
        let known = self.known()?;
        self.index(&known, name)?;
        let Some(committed) = &self.committed else { return Ok(None) };
        let tables = self.defined.get_or_init(|| {
            let tables = Tables::read(&committed.pages, committed.slot).ok()?;
            let same = |known: &Known| {
                tables.get(&known.table.name).is_some_and(|defined| defined.is(&known.table, &known.schema))
            };
            (tables.len() == known.len() && known.iter().all(same)).then_some(tables)
        });
        let defined = tables.as_ref().and_then(|tables| tables.get(name));
        Ok(defined.map(|defined| (committed.pages.clone(), defined.clone())))
    }
}

/// A doubt that came up at the beginning is no error.
fn certain<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Err(error) if error.code == ErrorCode::Unsupported => Ok(None),
        other => other.map(Some),
    }
}

pub(super) fn in_table(name: &str, error: Error) -> Error {
    if error.message.contains(&format!("{name:?}")) {
        return error;
    }
    Error::new(error.code, format!("table {name:?}: {}", error.message))
}

impl Known {
    /// A table, which redb 2 stored if it is `old`.
    fn new(txn: &ReadTransaction, schema: Schema, old: bool) -> Result<Self> {
        let name = schema.name.clone();
        let lease = schema.lease()?;
        let entries = lease.typed().len(txn, schema.place()).map_err(|error| in_table(&name, error))?;
        let bytes_about =
            size::about(txn, &schema, &lease, entries).map_err(|error| in_table(&name, error))?;
        #[cfg(feature = "redb2")]
        let recoded = if old { recode::of(&schema).map_err(|error| in_table(&name, error))? } else { None };
        #[cfg(feature = "redb2")]
        let told = recoded.as_ref().map_or(&schema, |(told, _)| told);
        #[cfg(not(feature = "redb2"))]
        let (told, _) = (&schema, old);
        let table = Table {
            name,
            multimap: told.multimap,
            entries,
            bytes_about,
            key_type: schema::for_people(&told.types.key),
            value_type: schema::for_people(&told.types.value),
            identity: told.identity(),
        };
        Ok(Self {
            #[cfg(feature = "redb2")]
            recoded,
            schema,
            table,
        })
    }

    /// What it is restored as.
    fn told(&self) -> &Schema {
        #[cfg(feature = "redb2")]
        if let Some((told, _)) = &self.recoded {
            return told;
        }
        &self.schema
    }
}

impl Store for RedbStore {
    fn tables(&self) -> Result<Vec<Table>> {
        Ok(self.known()?.iter().map(|known| known.table.clone()).collect())
    }

    fn template(&self) -> Result<Vec<u8>> {
        let schemas: Vec<Schema> = self.known()?.iter().map(|known| known.told().clone()).collect();
        template::make(&schemas)
    }

    fn notes(&self) -> Result<Vec<(String, String)>> {
        Ok(self.notes.iter().cloned().chain(self.doubts.note()).collect())
    }

    fn position(&self, at: &str) -> Result<u64> {
        let known = self.known()?;
        contain("looking for the position", || position::find(&self.moment.txn, &known, at))
    }

    fn split(&self, table: &str, parts: u32) -> Result<Vec<Vec<u8>>> {
        if let Some((pages, defined)) = self.plain(table)?
            && let Some(Some(cut)) = certain(pages::cut(&pages, &defined, parts.min(MAX_PARTS).into()))?
        {
            let mark = |(group, key)| Mark { at: At::Group(group), key }.write();
            return Ok(cut.into_iter().map(mark).collect());
        }
        self.with(table, |known| part::marks(&self.moment.txn, known, parts))
    }

    fn scan(&self, table: &str, from: Option<&[u8]>, to: Option<&[u8]>) -> Result<Box<dyn Entries>> {
        let from = from.map(Mark::read).transpose()?;
        let to = to.map(Mark::read).transpose()?;
        let known = self.known()?;
        let index = self.index(&known, table)?;
        let stretch =
            Stretch { known: Arc::clone(&known), index, from, to, moment: Arc::clone(&self.moment) };
        let pages = self.plain(table)?;
        let begin = || Scan::begin(stretch, pages, &self.counts, &self.doubts);
        let scan = contain(&format!("reading table {table:?}"), begin);
        let scan = Box::new(scan.map_err(|error| in_table(table, error))?);
        #[cfg(feature = "redb2")]
        if let Some((_, recoding)) = &known[index].recoded {
            return Ok(recoding.entries(scan));
        }
        Ok(scan)
    }

    fn stamp(&self, table: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.defined(table)?.map(|(_, defined)| Stamp::of(&defined).write()))
    }

    fn baseline(&self, table: &str) -> Result<Option<Box<dyn Entries>>> {
        let Some((pages, defined)) = self.defined(table)? else { return Ok(None) };
        let baseline =
            certain(Baseline::begin(pages, defined, Arc::clone(&self.counts), Arc::clone(&self.moment)))?;
        Ok(baseline.map(|baseline| Box::new(baseline) as Box<dyn Entries>))
    }

    fn changes(&self, table: &str, stamp: &[u8]) -> Result<Option<Box<dyn Changes>>> {
        let Some((pages, defined)) = self.defined(table)? else { return Ok(None) };
        let old = Stamp::read(stamp).filter(|old| old.is_like(&Stamp::of(&defined)));
        let Some(old) = old else { return Ok(None) };
        let changes = certain(Changed::begin(pages, defined, old, Arc::clone(&self.moment)))?;
        Ok(changes.map(|changes| Box::new(changes) as Box<dyn Changes>))
    }

    fn file(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// None: all that it reads is open.
    fn directories(&self) -> Option<Vec<PathBuf>> {
        Some(Vec::new())
    }
}
