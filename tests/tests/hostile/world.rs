//! What there is to harm: a database, a repository, files beside them, and the directories that are granted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, TableDefinition};
use strongroom::{Backup, RedbStore, Repository, Restore};

use crate::common::{assert_whole, names, repository};

const ACCOUNTS: TableDefinition<&str, u64> = TableDefinition::new("accounts");

pub struct World {
    dir: tempfile::TempDir,
    repository: Repository,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let db = Database::create(at("app.redb")).unwrap();
        let write = db.begin_write().unwrap();
        {
            let mut accounts = write.open_table(ACCOUNTS).unwrap();
            for number in 0..5000 {
                accounts.insert(format!("account {number:05}").as_str(), number * 7).unwrap();
            }
        }
        write.commit().unwrap();
        drop(db);
        std::fs::write(at("secret"), "the secret").unwrap();
        std::fs::create_dir(at("outside")).unwrap();
        std::fs::create_dir(at("readonly")).unwrap();
        std::fs::write(at("readonly/file"), "to be read").unwrap();
        let repository = repository(at("backups"));
        let world = Self { dir, repository };
        world.repository.backup(&world.store(), &Backup::new().name("first")).unwrap();
        world
    }

    /// The database file, opened to be read.
    pub fn store(&self) -> Arc<RedbStore> {
        Arc::new(RedbStore::open(&self.at("app.redb")).unwrap())
    }

    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Makes the directory that may be written, with links out of it that somebody has left there.
    pub fn fill_data(&self) {
        let data = self.at("data");
        let _ = std::fs::remove_dir_all(&data);
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("inside"), "inside").unwrap();
        #[cfg(unix)]
        for (link, to) in [
            ("out-file", "../secret"),
            ("out-dir", ".."),
            ("dangling", "../not-there"),
            ("out-proc", "/proc/self/environ"),
        ] {
            std::os::unix::fs::symlink(to, data.join(link)).unwrap();
        }
    }

    /// Every byte that no component may change.
    pub fn state(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let paths = crate::common::files_below(self.path());
        let mut state = BTreeMap::new();
        for path in paths.into_iter().filter(|path| !path.starts_with(self.at("data"))) {
            let bytes = path.is_file().then(|| std::fs::read(&path).unwrap());
            state.insert(path, bytes);
        }
        state
    }

    /// The snapshot is there, and all of it comes back.
    pub fn assert_whole(&self) {
        assert_eq!(names(&self.repository), ["first"]);
        assert_whole(&self.repository);
        let restored = self.at("data/restored.redb");
        self.repository.restore("first", &restored, &Restore::new()).unwrap();
        let again = self
            .repository
            .backup(&Arc::new(RedbStore::open(&restored).unwrap()), &Backup::new().name("again"));
        assert_eq!(again.unwrap().id, self.repository.find("first").unwrap().id);
    }
}
