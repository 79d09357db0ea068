//! Shows how much memory backups and restores take of what is larger than memory ought to be. See `--help`.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;
use strongroom_tests::child::{self, Ran};
use strongroom_tests::steps::{self, step};
use strongroom_tests::strongroom_process::Strongroom;
use strongroom_tests::target::{Table, Target};

const HELP: &str = "\
Backs up, verifies, restores, exports and imports a large database and one with a single large value, and compares the most
memory that each process had with what is allowed: 300 MB above what redb itself takes to read or write the value. A
database of 0.2 GB shows whether memory grows with the data: it is meant to stay within 10 %.

Usage: big [--gb 4.0] [--value-mib 1024] [--work DIR]

  --gb GB        the large database has so many gigabytes (10^9 bytes), in values of 4 KB that do not compress
  --value-mib N  the single value has so many MiB
  --work DIR     where all is written; needs three times the larger of both. By default beside the build's output";

/// Bytes above what redb itself takes.
const ALLOWED: u64 = 300_000_000;
/// Gigabytes of the database with which the large one is compared.
const SMALL_GB: f64 = 0.2;
/// How much more memory the large one may take.
const FLAT: f64 = 1.1;

fn main() -> Result<ExitCode> {
    let Some(mut args) = steps::begin(HELP)? else { return Ok(ExitCode::SUCCESS) };
    let gb: f64 = args.number("--gb", 4.0)?;
    let mib: u64 = args.number("--value-mib", 1024)?;
    let work = steps::work_dir(&mut args, "big")?;
    args.done()?;
    let strongroom = Strongroom::find()?;
    println!("Strongroom is run as {}.\n", strongroom.described());
    println!(
        "| | verb | seconds | peak RSS, MB | redb alone, MB | allowed, MB | |\n|---|---|--:|--:|--:|--:|---|"
    );
    let many = |gb: f64| (format!("{gb} GB of 4 KB values"), (gb * 1e9 / 4096.0).ceil() as u64, 4096);
    let one = (format!("one value of {mib} MiB"), 1, mib << 20);
    let mut all = Vec::new();
    for (what, count, value_bytes) in [many(SMALL_GB), many(gb), one] {
        let dir = tempfile::tempdir_in(&work)?;
        all.push(measure(&strongroom, dir.path(), &what, count, value_bytes)?);
    }
    if let [small, large, _] = &all[..] {
        print!(
            "\nPeak RSS at {gb} GB against that at {SMALL_GB} GB:\n\n{}",
            Table(&flat(&small.peaks, &large.peaks))
        );
    }
    Ok(if all.iter().all(|peaks| peaks.kept) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The most memory that each verb took.
struct Peaks {
    peaks: Vec<(&'static str, Option<u64>)>,
    /// Whether all of it was within what is allowed.
    kept: bool,
}

/// What is aimed at: the same memory for much data as for little.
fn flat(small: &[(&'static str, Option<u64>)], large: &[(&'static str, Option<u64>)]) -> Vec<Target> {
    let verbs = small.iter().zip(large).map(|((verb, small), (_, large))| {
        let shown = format!("{verb}, {} and {} MB", megabytes(*small), megabytes(*large));
        let times = small.zip(*large).map(|(small, large)| large as f64 / small as f64);
        Target::at_most(format!("{shown}, times"), FLAT, times)
    });
    verbs.collect()
}

fn measure(strongroom: &Strongroom, dir: &Path, what: &str, count: u64, value_bytes: u64) -> Result<Peaks> {
    let (database, repository, restored) =
        (dir.join("app.redb"), dir.join("repository"), dir.join("restored.redb"));
    run(step("large")?.arg(&database).arg(count.to_string()).arg(value_bytes.to_string()))?;
    let reads = run(step("read-natively")?.arg(&database))?;
    let native = dir.join("native.redb");
    let writes = run(step("write-natively")?.arg(&native).arg(value_bytes.to_string()))?;
    std::fs::remove_file(&native)?;
    let mut peaks = Peaks { peaks: Vec::new(), kept: true };
    let mut told = |verb, ran: &Ran, alone: &Ran| {
        peaks.kept &= told(what, verb, ran, alone);
        peaks.peaks.push((verb, ran.peak_rss));
    };
    told("backup", &run(&mut strongroom.backup(&database, &repository)?)?, &reads);
    told("verify --read-data", &run(&mut strongroom.verify(&repository)?)?, &reads);
    told("restore", &run(&mut strongroom.restore(&repository, &restored)?)?, &writes);
    run(step("compare-large")?.arg(&database).arg(&restored))?;
    std::fs::remove_file(&restored)?;
    let (archive, other) = (dir.join("snapshot.archive"), dir.join("other"));
    told("export", &run(&mut strongroom.export(&repository, &archive)?)?, &reads);
    std::fs::remove_dir_all(&repository)?;
    told("import", &run(&mut strongroom.import(&other, &archive)?)?, &reads);
    run(&mut strongroom.verify(&other)?)?;
    Ok(peaks)
}

fn run(command: &mut Command) -> Result<Ran> {
    child::run(command)
}

fn megabytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "?".to_owned(), |bytes| format!("{:.0}", bytes as f64 / 1e6))
}

/// Whether the memory was within what is allowed.
fn told(what: &str, verb: &str, ran: &Ran, alone: &Ran) -> bool {
    let allowed = alone.peak_rss.map(|alone| alone + ALLOWED);
    let (kept, verdict) = match (ran.peak_rss, allowed) {
        (Some(peak), Some(allowed)) if peak > allowed => (false, "**over**"),
        (Some(_), Some(_)) => (true, "within"),
        // The system does not say.
        _ => (true, "not measured"),
    };
    println!(
        "| {what} | {verb} | {:.1} | {} | {} | {} | {verdict} |",
        ran.seconds,
        megabytes(ran.peak_rss),
        megabytes(alone.peak_rss),
        megabytes(allowed)
    );
    kept
}
