//! The verbs on a repository, done by the library.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use strongroom::{
    Archived, Comparison, Decision, Depth, Forget, Import, JsonLinesSink, Policy, Prune, Pruned, RedbSink,
    Repair, Repaired, Repository, Restored, Result, Sink, Snapshot, Snapshots, Table, Verified,
};
use strongroom_command::host;
use strongroom_command::host::Form;
use strongroom_core::checks;

/// A repository as the library has it.
pub(crate) struct Native<'h> {
    pub(crate) repository: Repository,
    pub(crate) host: &'h crate::native::Native,
    /// Somebody may remember what a verify finds.
    pub(crate) remembers: bool,
}

impl Native<'_> {
    fn back_up(&self, wanted: &host::Backup<'_>, policy: &Policy) -> Result<Snapshot> {
        let store = self.host.database(wanted.database)?;
        let mut backup = strongroom::Backup::new()
            .name(wanted.name)
            .source(wanted.source)
            .override_permissions(wanted.override_permissions)
            .policy(policy)
            .accept(wanted.accept)
            .full_scan(wanted.full_scan);
        if wanted.compression == host::Compression::None {
            backup = backup.compression(strongroom::Compression::None);
        }
        if let Some(position) = wanted.position {
            backup = backup.position(position);
        }
        if !wanted.tables.is_empty() {
            backup = backup.tables(wanted.tables);
        }
        if let Some(threads) = wanted.threads {
            backup = backup.threads(threads);
        }
        self.host.confine(&[], &[self.repository.dir()])?;
        self.repository.backup(&store, &backup)
    }

    /// The command needs nothing but the repository from here on, and that to read.
    fn reads(&self) -> Result<()> {
        self.host.confine(&[self.repository.dir()], &[])
    }
}

fn restore(wanted: &host::Restore<'_>) -> strongroom::Restore {
    let restore = strongroom::Restore::new().overwrite(wanted.overwrite);
    if wanted.tables.is_empty() { restore } else { restore.tables(wanted.tables) }
}

/// Where a file is made.
fn directory<'a>(wanted: &host::Restore<'a>) -> Vec<&'a Path> {
    if wanted.form == Form::Printed {
        return Vec::new();
    }
    let parent = wanted.to.parent().filter(|parent| !parent.as_os_str().is_empty());
    vec![parent.unwrap_or(Path::new("."))]
}

/// What is filled.
fn sink(wanted: &host::Restore<'_>) -> Result<Box<dyn Sink>> {
    Ok(match wanted.form {
        Form::Redb => Box::new(RedbSink::new(wanted.to, wanted.overwrite)?),
        Form::JsonLines => Box::new(JsonLinesSink::new(wanted.to, wanted.overwrite)?),
        Form::Printed => Box::new(JsonLinesSink::stream(io::stdout())),
        #[cfg(feature = "sqlite")]
        Form::Sqlite => Box::new(strongroom::SqliteSink::new(wanted.to, wanted.overwrite)?),
        #[cfg(not(feature = "sqlite"))]
        Form::Sqlite => {
            let message =
                "this strongroom was built without the feature `sqlite`; --to-jsonl is always there";
            return Err(strongroom::Error::new(strongroom::ErrorCode::Unsupported, message));
        }
    })
}

impl host::Repository for Native<'_> {
    fn backup(&self, wanted: &host::Backup<'_>) -> anyhow::Result<Snapshot> {
        let policy = crate::policy::load(self.host, wanted.policy)?;
        // What a policy does not export is decided by the default, and a backup that is not made is worth less.
        if !policy.decides(Decision::Select) && !policy.decides(Decision::Admit) {
            tracing::warn!(
                "policy {} decides nothing about a backup, as it exports neither select nor admit: all tables are \
                 taken, and the snapshot is published whatever is in it",
                policy.name()
            );
        }
        Ok(self.back_up(wanted, &policy)?)
    }

    fn init(&self) -> Result<bool> {
        self.host.confine(&[], &[self.repository.dir()])?;
        self.repository.init()
    }

    fn snapshots(&self) -> Result<Snapshots> {
        self.reads()?;
        self.repository.snapshots()
    }

    fn find(&self, which: &str) -> Result<Snapshot> {
        self.reads()?;
        self.repository.find(which)
    }

    fn tables(&self, snapshot: &str) -> Result<Vec<Table>> {
        self.reads()?;
        self.repository.tables(snapshot)
    }

    fn restore(&self, wanted: &host::Restore<'_>) -> Result<Restored> {
        self.host.confine(&[self.repository.dir()], &directory(wanted))?;
        let restore = restore(wanted).skip_damaged(wanted.skip_damaged);
        if wanted.form == Form::Redb {
            return self.repository.restore(wanted.snapshot, wanted.to, &restore);
        }
        // Before anything is made.
        let snapshot = self.repository.find(wanted.snapshot)?;
        self.repository.restore_into(&snapshot.name, sink(wanted)?, &restore)
    }

    fn restore_archive(&self, archive: host::Incoming<'_>, wanted: &host::Restore<'_>) -> Result<Restored> {
        self.host.confine(&[], &directory(wanted))?;
        let sink = sink(wanted)?;
        self.repository.restore_archive_into(archive.from, archive.bytes, sink, &restore(wanted))
    }

    fn export(&self, snapshot: &str, to: &mut (dyn Write + Send), dir: Option<&Path>) -> Result<Archived> {
        self.host.confine(&[self.repository.dir()], &dir.into_iter().collect::<Vec<_>>())?;
        self.repository.export(snapshot, to)
    }

    fn import(
        &self,
        archive: host::Incoming<'_>,
        name: Option<&str>,
        source: Option<&str>,
        override_permissions: bool,
    ) -> Result<Archived> {
        let mut import = Import::new().bytes(archive.bytes).override_permissions(override_permissions);
        if let Some(name) = name {
            import = import.name(name);
        }
        if let Some(source) = source {
            import = import.source(source);
        }
        self.host.confine(&[], &[self.repository.dir()])?;
        self.repository.import(archive.from, &import)
    }

    fn verify(&self, snapshot: Option<&str>, depth: Depth) -> Result<Verified> {
        let checks = self.remembers.then(|| checks::prepare(self.repository.dir())).flatten();
        self.host
            .confine(&[self.repository.dir()], &checks.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
        self.repository.verify(snapshot, depth)
    }

    fn forget(&self, names: &[String], dry_run: bool, allow_empty: bool) -> Result<()> {
        self.host.confine(&[], &[self.repository.dir()])?;
        self.repository.forget(names, &Forget::new().dry_run(dry_run).allow_empty(allow_empty))
    }

    fn prune(&self, max_unused: u32, dry_run: bool, allow_empty: bool) -> Result<Pruned> {
        self.host.confine(&[], &[self.repository.dir()])?;
        let how = Prune::new().max_unused(max_unused).dry_run(dry_run).allow_empty(allow_empty);
        self.repository.prune(&how)
    }

    fn repair(&self, dry_run: bool) -> Result<Repaired> {
        self.host.confine(&[], &[self.repository.dir()])?;
        self.repository.repair(&Repair::new().dry_run(dry_run))
    }

    fn compare(&self, snapshot: &str, database: &Path) -> Result<Comparison> {
        let store = self.host.database(database)?;
        self.reads()?;
        self.repository.compare(snapshot, &store)
    }

    fn diff(
        &self,
        wanted: &host::Diff<'_>,
        tell: &mut host::Tell<'_>,
    ) -> Result<(Snapshot, Option<Snapshot>)> {
        let mut diff = strongroom::Diff::new().keys(wanted.keys);
        if !wanted.tables.is_empty() {
            diff = diff.tables(wanted.tables);
        }
        match wanted.after {
            host::After::Snapshot(after) => {
                self.reads()?;
                let (before, after) = self.repository.diff(wanted.before, after, &diff, tell)?;
                Ok((before, Some(after)))
            }
            host::After::Database(database) => {
                let store = self.host.database(database)?;
                self.reads()?;
                Ok((self.repository.diff_with(wanted.before, &store, &diff, tell)?, None))
            }
        }
    }

    fn scan(&self, snapshot: &str, table: &str, each: &mut host::Each<'_>) -> Result<()> {
        self.reads()?;
        self.repository.scan(snapshot, table, each)
    }
}
