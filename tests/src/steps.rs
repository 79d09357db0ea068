//! What the programs here do in processes of their own, so that each is measured by itself: the program calls itself
//! as `PROGRAM step NAME ARGUMENTS`.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use redb::{Builder, Database, ReadableDatabase as _, TableDefinition};
use strongroom::{Backup, Compression, Depth, Import, RedbStore, Repository, Restore};

use crate::args::Args;
use crate::entries;
use crate::large;

/// The command that runs a step of this program.
pub fn step(name: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("step").arg(name).stdin(std::process::Stdio::null());
    Ok(command)
}

/// The arguments of a program that measures, unless it was started for a step or to show its help: that is then done.
pub fn begin(help: &str) -> Result<Option<Args>> {
    if let Some(done) = run_if_asked() {
        return done.map(|()| None);
    }
    let mut args = Args::of_process();
    if args.flag("--help") || args.flag("-h") {
        println!("{help}");
        return Ok(None);
    }
    Ok(Some(args))
}

/// Runs the step that this process was started for, if it was.
fn run_if_asked() -> Option<Result<()>> {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() != Some("step") {
        return None;
    }
    let name = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Some(run(&name, &args).with_context(|| format!("step {name}")))
}

/// The seconds that a step printed.
pub fn seconds(stdout: &str) -> Result<f64> {
    stdout.trim().parse().with_context(|| format!("not a number of seconds: {stdout}"))
}

fn run(name: &str, args: &[&str]) -> Result<()> {
    let path = |at: usize| args.get(at).map(|arg| Path::new(*arg)).context("too few arguments");
    let number =
        |at: usize| args.get(at).and_then(|arg| arg.parse::<u64>().ok()).context("a number is missing");
    match name {
        // Strongroom through its library, for where there is no command.
        "backup" => backup(path(0)?, path(1)?, args.get(2) == Some(&"uncompressed")),
        "restore" => {
            Repository::at(path(0)?)?.restore("latest", path(1)?, &Restore::new())?;
            Ok(())
        }
        "verify" => {
            let verified = Repository::at(path(0)?)?.verify(None, Depth::Data)?;
            if !verified.damage.is_empty() {
                bail!("damaged: {:?}", verified.damage);
            }
            Ok(())
        }
        "export" => {
            Repository::at(path(0)?)?.export("latest", File::create(path(1)?)?)?;
            Ok(())
        }
        "import" => {
            Repository::at(path(0)?)?.import(File::open(path(1)?)?, &Import::new())?;
            Ok(())
        }
        "snapshots" => {
            println!("{}", Repository::at(path(0)?)?.snapshots()?.snapshots.len());
            Ok(())
        }
        "tables" => {
            println!("{}", Repository::at(path(0)?)?.tables("latest")?.len());
            Ok(())
        }
        "many-snapshots" => many_snapshots(path(0)?, number(1)?),
        "many-tables" => crate::many::tables(path(0)?, number(1)?),
        "many-sources" => crate::many::snapshots(path(0)?, number(1)?, number(2)?),
        "change-many" => crate::many::change(path(0)?, number(1)?),
        // The entries of the benchmark.
        "raw" => entries::write_raw(path(0)?, number(1)?),
        "bulk-load" => {
            println!("{}", entries::bulk_load(path(0)?, path(1)?)?);
            Ok(())
        }
        "compact" => entries::compact(path(0)?),
        "change" => entries::change(path(0)?, path(1)?, number(2)?),
        "change-again" => entries::change_again(path(0)?, number(1)?, number(2)?, number(3)?),
        "profile" => crate::profile::step(args),
        "change-real" => {
            crate::real::change(path(0)?, 0.01, 1)?;
            Ok(())
        }
        "sqlite" | "lmdb" | "rocksdb" => as_text(path(0)?, name),
        "rocksdb-changes" => changes_for_rocksdb(path(0)?, number(1)?),
        // Large databases, and single large values.
        "large" => large::make(path(0)?, number(1)?, number(2)?),
        "read-natively" => large::read(path(0)?),
        "compare-large" => large::compare(path(0)?, path(1)?),
        "write-natively" => large::write_one(path(0)?, number(1)?),
        _ => bail!("there is no such step"),
    }
}

fn backup(database: &Path, repository: &Path, uncompressed: bool) -> Result<()> {
    let started = Instant::now();
    let store = std::sync::Arc::new(RedbStore::open(database)?);
    let mut backup = Backup::new().name("{source}-{seq:04}").source("bench");
    if uncompressed {
        backup = backup.compression(Compression::None);
    }
    let snapshot = Repository::at(repository)?.backup(&store, &backup)?;
    println!("{} {:.3}", snapshot.name, started.elapsed().as_secs_f64());
    Ok(())
}

/// As many snapshots of a small database as there should be, each with a row more.
fn many_snapshots(dir: &Path, count: u64) -> Result<()> {
    const TABLE: TableDefinition<u64, &str> = TableDefinition::new("rows");
    let beside: PathBuf = dir.with_extension("redb");
    let _ = std::fs::remove_file(&beside);
    let db = Builder::new().create(&beside)?;
    let repository = Repository::at(dir)?;
    let backup = Backup::new().name("{source}-{seq:04}").source("small").threads(1);
    for row in 0..count {
        let write = db.begin_write()?;
        write.open_table(TABLE)?.insert(row, "a row")?;
        write.commit()?;
        repository.backup(&db, &backup)?;
    }
    drop(db);
    std::fs::remove_file(&beside)?;
    Ok(())
}

/// The entries as the peers' own tools load them, on the standard output.
fn as_text(raw: &Path, peer: &str) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, std::io::stdout().lock());
    let map = std::fs::metadata(raw)?.len() * 4 + (64 << 20);
    match peer {
        "sqlite" => writeln!(out, "CREATE TABLE entries(k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID; BEGIN;")?,
        "lmdb" => writeln!(out, "VERSION=3\nformat=bytevalue\ntype=btree\nmapsize={map}\nHEADER=END")?,
        _ => {}
    }
    entries::read_raw(raw, |key, value| {
        let (key, value) = (hex(key), hex(value));
        match peer {
            "sqlite" => writeln!(out, "INSERT INTO entries VALUES(x'{key}',x'{value}');")?,
            "lmdb" => writeln!(out, " {key}\n {value}")?,
            _ => writeln!(out, "0x{key} ==> 0x{value}")?,
        }
        Ok(())
    })?;
    match peer {
        "sqlite" => writeln!(out, "COMMIT;")?,
        "lmdb" => writeln!(out, "DATA=END")?,
        _ => {}
    }
    out.flush()?;
    Ok(())
}

/// A change of the entries, as RocksDB's own tool loads them.
fn changes_for_rocksdb(raw: &Path, count: u64) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, std::io::stdout().lock());
    for (key, value) in entries::changed(raw, count)? {
        writeln!(out, "0x{} ==> 0x{}", hex(&key), hex(&value))?;
    }
    out.flush()?;
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Opens a database without a cache of note, as a backup does.
pub(crate) fn open_small(database: &Path) -> Result<redb::ReadTransaction> {
    let db = Builder::new().set_cache_size(0).open_read_only(database)?;
    Ok(db.begin_read()?)
}

/// Creates a database without a cache of note.
pub(crate) fn create_small(database: &Path) -> Result<Database> {
    Ok(Builder::new().set_cache_size(0).create(database)?)
}

/// Where a program writes: as `--work` says, or beside the build's output, which is on a disk and not in memory.
pub fn work_dir(args: &mut Args, name: &str) -> Result<PathBuf> {
    let work = match args.path("--work")? {
        Some(work) => work,
        None => {
            let program = std::env::current_exe()?;
            program.ancestors().nth(2).context("this program lies in no directory")?.join(name)
        }
    };
    std::fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    Ok(work)
}
