//! `demo`: backup, verify and restore of a database in use, and proof that nothing was lost.

mod bank;
mod shapes;
mod types;
pub(crate) mod verb;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use redb::{Database, ReadableDatabase};
use serde::Serialize;
use strongroom::{Backup, Depth, Repository, Restore, Snapshot};
use strongroom_command::Session;

use crate::native::Native;
use bank::Writer;
use shapes::SHAPES;
use strongroom_core::text::{count, counted, duration, short, size};

/// The figures, for programs.
#[derive(Debug, Default, Serialize)]
struct Figures {
    database_bytes: u64,
    entries: u64,
    first_backup_seconds: f64,
    first_backup_added: u64,
    second_backup_seconds: f64,
    second_backup_added: u64,
    commits_during_backups: u64,
    verify_seconds: f64,
    restore_seconds: f64,
    total: u64,
    entries_checked: u64,
}

/// Makes the directory, or checks that there is nothing in it.
pub(crate) fn place(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut inside = std::fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    ensure!(inside.next().is_none(), "{} is not empty; give a new or an empty directory", dir.display());
    Ok(())
}

/// Tells the story in this directory.
pub(crate) fn run(native: &Native, session: &Session<'_>, dir: &Path) -> anyhow::Result<()> {
    let mut figures = Figures::default();
    session.say(format!(
        "Strongroom backs up a redb database while it is in use. This happens in {}.\n",
        dir.display()
    ))?;
    let path = dir.join("app.redb");
    let db = make(&path).with_context(|| format!("cannot make {}", path.display()))?;
    figures.database_bytes = length(&path);
    let repository = native.open(&dir.join("backups"), &session.bar)?;

    let writer = Writer::new();
    let snapshots = std::thread::scope(|scope| {
        let at_work = scope.spawn(|| writer.work(&db));
        let backed_up = back_up_twice(session, &db, &repository, &writer, &mut figures);
        writer.stop();
        let worked = at_work.join();
        let snapshots = backed_up?;
        match worked {
            Ok(worked) => worked.map(|()| snapshots),
            Err(_) => bail!("the writer panicked"),
        }
    })?;

    let started = Instant::now();
    let verified = repository.verify(None, Depth::Data)?;
    session.bar.clear();
    figures.verify_seconds = started.elapsed().as_secs_f64();
    ensure!(verified.damage.is_empty(), "the repository is damaged: {:?}", verified.damage);
    session.say(format!(
        "Verified: {} in {}, {} read and hashed, no damage, in {}.",
        counted(verified.objects, "object"),
        counted(verified.snapshots.into(), "snapshot"),
        size(verified.bytes),
        duration(started.elapsed())
    ))?;

    for snapshot in &snapshots {
        session.go_on()?;
        restore_and_check(session, &repository, snapshot, dir, &mut figures)?;
    }
    if session.json() {
        return session.print_json("demo", &figures);
    }
    session.say("\nNothing was lost, and nothing was made up.")
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// The application's database.
fn make(path: &Path) -> anyhow::Result<Database> {
    let db = Database::create(path)?;
    let txn = db.begin_write()?;
    bank::fill(&txn)?;
    for shape in &SHAPES {
        (shape.fill)(&txn).with_context(|| format!("table {}", shape.name))?;
    }
    txn.commit()?;
    Ok(db)
}

fn back_up_twice(
    session: &Session<'_>,
    db: &Database,
    repository: &Repository,
    writer: &Writer,
    figures: &mut Figures,
) -> anyhow::Result<[Snapshot; 2]> {
    let backup = Backup::new().source("app").name("{source}-{seq:03}-at-{position}").position(bank::POSITION);
    session.say(format!(
        "The application: a database of {}, in which {} hold {}.\nA writer transfers money between them, commit \
         after commit, all the while.\n",
        size(figures.database_bytes),
        counted(bank::ACCOUNT_COUNT, "account"),
        count(bank::TOTAL)
    ))?;
    let one = || -> anyhow::Result<(Snapshot, Duration, u64)> {
        writer.wait_for(3);
        let (before, started) = (writer.commits(), Instant::now());
        let snapshot = repository.backup(db, &backup)?;
        session.bar.clear();
        let (took, commits) = (started.elapsed(), writer.commits() - before);
        session.say(format!(
            "    {}  {}  {}  {}  added {}  in {}, beside {}",
            snapshot.name,
            short(&snapshot.id),
            counted(snapshot.entries, "entry"),
            size(snapshot.bytes),
            size(snapshot.bytes_added),
            duration(took),
            counted(commits, "commit"),
        ))?;
        Ok((snapshot, took, commits))
    };
    session.say("Two backups:")?;
    let (first, first_took, first_commits) = one()?;
    let (second, second_took, second_commits) = one()?;
    session.say("The second one stored only what had changed.\n")?;
    ensure!(first.position < second.position, "the second backup saw nothing new");
    ensure!(second.bytes_added < first.bytes_added, "the second backup stored everything again");
    let listed = repository.snapshots()?;
    let names: Vec<&str> = listed.snapshots.iter().map(|snapshot| snapshot.name.as_str()).collect();
    ensure!(names == [first.name.as_str(), second.name.as_str()], "the repository lists {names:?}");
    figures.entries = second.entries;
    figures.first_backup_seconds = first_took.as_secs_f64();
    figures.first_backup_added = first.bytes_added;
    figures.second_backup_seconds = second_took.as_secs_f64();
    figures.second_backup_added = second.bytes_added;
    figures.commits_during_backups = first_commits + second_commits;
    Ok([first, second])
}

/// Restores a snapshot, and looks at every table of it as the application does.
fn restore_and_check(
    session: &Session<'_>,
    repository: &Repository,
    snapshot: &Snapshot,
    dir: &Path,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let path = dir.join(format!("{}.redb", snapshot.name));
    let started = Instant::now();
    repository.restore(&snapshot.name, &path, &Restore::new())?;
    session.bar.clear();
    let took = started.elapsed();
    session.say(format!("Restored {}: {} in {}.", snapshot.name, size(length(&path)), duration(took)))?;

    let db = Database::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    let txn = db.begin_read()?;
    let books = bank::check(&txn)?;
    ensure!(
        snapshot.position == Some(books.height),
        "the snapshot names another height than {}",
        books.height
    );
    let mut entries = books.entries;
    for shape in &SHAPES {
        entries += (shape.check)(&txn).with_context(|| format!("table {} after the restore", shape.name))?;
    }
    ensure!(entries == snapshot.entries, "{entries} entries were found instead of {}", snapshot.entries);
    session.say(format!(
        "    The accounts hold {}, as they must: after {} each balance is what these give.\n    All {} tables open \
         with the application's own types; all {} are as they were.",
        count(books.total),
        counted(books.height, "transfer"),
        SHAPES.len() + 3,
        counted(entries, "entry"),
    ))?;
    figures.restore_seconds = took.as_secs_f64();
    figures.total = books.total;
    figures.entries_checked += entries;
    Ok(())
}
