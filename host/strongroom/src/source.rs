//! What can be backed up.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use strongroom_store::Store;
use strongroom_store::redb::RedbStore;

use redb::ReadableDatabase as _;

use crate::{Error, ErrorCode, Result};

/// Something that can be backed up: it opens a [`Store`], which is one moment of it.
///
/// It stands for [`redb::Database`], which does not know its file and so has no [name](Source::name), alone or [with its file](LiveFile), and [`redb::ReadOnlyDatabase`], and for any store that is ready made, as an
/// `Arc<dyn Store>` or an `Arc` of the store's own type.
pub trait Source {
    /// The moment that is now.
    fn store(&self) -> Result<Arc<dyn Store>>;

    /// The file that it is in, where it knows one. Snapshots keep it, so that no other database goes on with their source.
    fn file(&self) -> Option<PathBuf> {
        None
    }

    /// What it is called among the databases that share a repository, unless the backup says otherwise: the name of its
    /// file without the ending, as the command has it. `None`: it has no name of its own.
    fn name(&self) -> Option<String> {
        Some(self.file()?.file_stem()?.to_str()?.to_owned())
    }
}

impl Source for redb::Database {
    fn store(&self) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(RedbStore::live(self)?))
    }
}

/// A database that this process has open, and its file, so that a backup reads only what changed since the one before.
///
/// redb does not say which commit of its file a reader sees, so each backup makes a commit that is **empty**: nothing in the
/// database is changed, and commits that were not yet durable become so with it. It waits some seconds for a writer to
/// end; the thread that backs up must not have a write transaction itself. Where the commit cannot be told, all is read,
/// and the snapshot's labels say why. To leave the file as it is, back up the [`redb::Database`] alone.
///
/// ```no_run
/// # use strongroom::{Backup, LiveFile, Repository, Result};
/// # fn main() -> Result<()> {
/// # let db = redb::Database::create("app.redb").unwrap();
/// Repository::at("backups")?.backup(&LiveFile::new(&db, "app.redb"), &Backup::new())?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LiveFile<'d> {
    database: &'d redb::Database,
    path: PathBuf,
}

impl<'d> LiveFile<'d> {
    /// The database, and the path of the file that it is in.
    pub fn new(database: &'d redb::Database, path: impl Into<PathBuf>) -> Self {
        Self { database, path: path.into() }
    }
}

impl Source for LiveFile<'_> {
    fn store(&self) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(RedbStore::live_with_file(self.database, &self.path)?))
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.path.clone())
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

    fn file(&self) -> Option<PathBuf> {
        (**self).file().map(Path::to_owned)
    }
}

impl<S: Store + 'static> Source for Arc<S> {
    fn store(&self) -> Result<Arc<dyn Store>> {
        Ok(Arc::clone(self) as Arc<dyn Store>)
    }

    fn file(&self) -> Option<PathBuf> {
        (**self).file().map(Path::to_owned)
    }
}
