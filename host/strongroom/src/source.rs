//! What can be backed up.

use std::sync::Arc;

use strongroom_store::Store;
use strongroom_store::redb::RedbStore;

use redb::ReadableDatabase as _;

use crate::{Error, ErrorCode, Result};

/// Something that can be backed up: it opens a [`Store`], which is one moment of it.
///
/// It stands for [`redb::Database`] and [`redb::ReadOnlyDatabase`], and for any store that is ready made, as an
/// `Arc<dyn Store>` or an `Arc` of the store's own type.
pub trait Source {
    /// The moment that is now.
    fn store(&self) -> Result<Arc<dyn Store>>;

    /// What it is called among the databases that share a repository, unless the backup says otherwise.
    fn name(&self) -> String {
        "database".to_owned()
    }
}

impl Source for redb::Database {
    fn store(&self) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(RedbStore::live(self)?))
    }
}

impl Source for redb::ReadOnlyDatabase {
    fn store(&self) -> Result<Arc<dyn Store>> {
        let moment = self.begin_read().map_err(|e| {
            Error::new(ErrorCode::Io, format!("the database cannot be read at this moment: {e}"))
        })?;
        Ok(Arc::new(RedbStore::of(moment)))
    }
}

impl Source for Arc<dyn Store> {
    fn store(&self) -> Result<Arc<dyn Store>> {
        Ok(Arc::clone(self))
    }
}

impl<S: Store + 'static> Source for Arc<S> {
    fn store(&self) -> Result<Arc<dyn Store>> {
        Ok(Arc::clone(self) as Arc<dyn Store>)
    }
}
