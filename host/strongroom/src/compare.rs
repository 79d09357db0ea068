//! Comparing a database with a snapshot.

use crate::host::Grants;
use crate::model::{Comparison, Table, checked};
use crate::repository::Repository;
use crate::sandbox::Access;
use crate::source::Source;
use crate::{Error, ErrorCode, Result};

impl Repository {
    /// Compares a database, as it is at this moment, with a snapshot: all of the database is read and hashed, and nothing
    /// of the snapshot's data. Of a snapshot of some tables, only those count.
    ///
    /// That they differ is no error: [`Comparison::is_equal`] tells.
    pub fn compare<S: Source + ?Sized>(&self, snapshot: &str, source: &S) -> Result<Comparison> {
        let store = source.store()?;
        let (entries, bytes) = store
            .tables()
            .map_err(|e| e.about((*store).file()))?
            .iter()
            .fold((0, 0), |(entries, bytes), table| (entries + table.entries, bytes + table.bytes_about));
        let grants = Grants { store: Some(store), ..Grants::new(self.meter()) };
        grants.meter.set_total(bytes, entries);
        self.run("compare", Access::Read, grants, |engine, _| {
            let snapshot = checked(engine.call(|engine, store| engine.call_find(store, snapshot))?)?;
            let tables = engine.call(|engine, store| engine.call_tables(store, &snapshot.name))?;
            let only: Option<Vec<String>> = (snapshot.tables_left_out > 0)
                .then(|| tables.iter().map(|table| table.name.clone()).collect());
            let digested =
                engine.call(|engine, store| engine.call_digest(store, "store", only.as_deref()))?;
            if digested.id.len() != snapshot.id.len() {
                return Err(Error::new(ErrorCode::Other, "the engine gave an id that is none"));
            }
            let models = |tables: Vec<_>| tables.into_iter().map(Table::from).collect();
            Ok(Comparison::new(snapshot, models(tables), digested.id, models(digested.tables)))
        })
    }
}
