//! `verify`

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use strongroom_core::{Comparison, Damage, Depth, Difference, Error, ErrorCode, Note, Verified};

use crate::output::out::stdout;
use crate::session::Session;
use strongroom_core::text::{counted, duration, placed, size, visible};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom verify
        every object is there, in a file of the right length
    strongroom verify --read-data
        every byte is read and hashed
    strongroom verify --sample 5%
        a share of the data, another one every day: after 20 days, all of it was read
    strongroom verify latest --read-data
        what one snapshot needs
    strongroom verify latest --against app.redb
        whether the database is as it was then

The exit code is 12 if a snapshot is not whole, and 1 if the database is not the same. Damage that costs no snapshot
anything, because what lies in the file lies elsewhere too or is read all the same, is a warning: the exit code is 0,
and `repair` puts it right.")]
pub(crate) struct Args {
    /// Only what this snapshot needs: a name, the beginning of an id, or `latest`
    snapshot: Option<String>,

    /// Read and hash every byte
    #[arg(long, conflicts_with = "sample")]
    read_data: bool,

    /// Read and hash a share of the data, which changes from day to day
    #[arg(long, value_name = "PERCENT%", value_parser = permille)]
    sample: Option<u32>,

    /// Compare this database with the snapshot (or the newest), by reading and hashing all of the database
    #[arg(long, value_name = "APP.redb", conflicts_with_all = ["read_data", "sample"])]
    against: Option<PathBuf>,
}

/// Compares a database with a snapshot.
fn against(session: &Session<'_>, args: &Args, database: &Path) -> anyhow::Result<()> {
    let started = Instant::now();
    let database = session.expand(database)?;
    let repository = session.repository()?;
    session.go_on()?;
    let comparison = repository.compare(args.snapshot.as_deref().unwrap_or("latest"), &database)?;
    session.bar.clear();
    let took = started.elapsed();
    let Comparison { snapshot, id, entries, bytes, differences, .. } = &comparison;
    if session.json() {
        session.print_json(
            "compared",
            &Compared {
                snapshot: &snapshot.name,
                id: &snapshot.id,
                database_id: id,
                equal: comparison.is_equal(),
                entries: *entries,
                bytes: *bytes,
                differences,
                seconds: took.as_secs_f64(),
            },
        )?;
    } else {
        describe(differences)?;
        session.say(format!(
            "{}  {}  {} read  {}  in {}",
            visible(&snapshot.name),
            counted(*entries, "entry"),
            size(*bytes),
            if comparison.is_equal() { "the same as the database" } else { "NOT the same as the database" },
            duration(took),
        ))?;
    }
    if comparison.is_equal() {
        return Ok(());
    }
    let message = format!("the database is not what it was when snapshot {:?} was made", snapshot.name);
    Err(Error::new(ErrorCode::Other, message).into())
}

/// Says in which tables a database and a snapshot differ.
pub fn describe(differences: &[Difference]) -> anyhow::Result<()> {
    let mut out = stdout();
    for difference in differences {
        let what = match (difference.in_snapshot, difference.in_database) {
            (Some(entries), None) => {
                format!("is not in the database; in the snapshot {}", counted(entries, "entry"))
            }
            (None, Some(entries)) => {
                format!("is not in the snapshot; in the database {}", counted(entries, "entry"))
            }
            (Some(_), Some(_)) if difference.types_only => "has the same entries and other types".to_owned(),
            (snapshot, database) => format!(
                "has other entries: {} in the snapshot, {} in the database",
                snapshot.unwrap_or_default(),
                database.unwrap_or_default()
            ),
        };
        writeln!(out, "table {} {what}", visible(&difference.table))?;
    }
    Ok(out.flush()?)
}

/// `5%`, `0.5%` in thousandths.
pub fn permille(text: &str) -> Result<u32, String> {
    let percent: Option<f64> = text.strip_suffix('%').and_then(|number| number.parse().ok());
    let permille =
        percent.map(|percent| (percent * 10.0).round()).filter(|permille| (1.0..=1000.0).contains(permille));
    permille
        .map(|permille| permille as u32)
        .ok_or_else(|| "give a share from 0.1% to 100%, as in 5%".to_owned())
}

/// The answer for programs, of a comparison.
#[derive(Serialize)]
struct Compared<'c> {
    snapshot: &'c str,
    id: &'c str,
    database_id: &'c str,
    equal: bool,
    entries: u64,
    bytes: u64,
    differences: &'c [Difference],
    seconds: f64,
}

/// The answer for programs.
#[derive(Serialize)]
struct Done {
    snapshots: u32,
    objects: u64,
    bytes: u64,
    damage: usize,
    warnings: usize,
    /// Of the snapshots that can be read.
    whole: u32,
    seconds: f64,
}

const SECONDS_PER_DAY: u64 = 86_400;

pub(crate) fn run(session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    if let Some(database) = &args.against {
        return against(session, args, database);
    }
    let started = Instant::now();
    let today =
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / SECONDS_PER_DAY);
    let depth = match args.sample {
        Some(permille) => Depth::Sample { permille, number: today },
        None if args.read_data => Depth::Data,
        None => Depth::Structure,
    };
    let repository = session.repository()?;
    session.go_on()?;
    let verified = repository.verify(args.snapshot.as_deref(), depth)?;
    session.bar.clear();
    if session.json() {
        for damage in &verified.damage {
            session.print_json("damage", damage)?;
        }
        for warning in &verified.warnings {
            session.print_json("warning", warning)?;
        }
        let Verified { snapshots, objects, bytes, ref damage, ref warnings, .. } = verified;
        let (seconds, whole) = (started.elapsed().as_secs_f64(), whole(&verified));
        session.print_json(
            "verified",
            &Done {
                snapshots,
                objects,
                bytes,
                damage: damage.len(),
                warnings: warnings.len(),
                whole,
                seconds,
            },
        )?;
    } else {
        print_damage(&verified.damage)?;
        for Note { file, what, .. } in &verified.warnings {
            session.say(format!("warning: {}", visible(&placed(file, what))))?;
        }
        let read = if depth == Depth::Structure {
            String::new()
        } else {
            format!("  {} read", size(verified.bytes))
        };
        let found = if verified.damage.is_empty() && verified.warnings.is_empty() {
            "no damage".to_owned()
        } else if verified.damage.is_empty() {
            format!("all whole, {}", counted(verified.warnings.len() as u64, "warning"))
        } else {
            format!("DAMAGED, {} whole", counted(whole(&verified).into(), "snapshot"))
        };
        session.say(format!(
            "{}  {}{read}  {found}  in {}",
            counted(verified.snapshots.into(), "snapshot"),
            counted(verified.objects, "object"),
            duration(started.elapsed()),
        ))?;
    }
    if verified.damage.is_empty() {
        return Ok(());
    }
    let message = "the repository is damaged. `repair` puts right what can be; a backup of a database that still holds \
                   the data stores it anew; `restore --skip-damaged` restores the tables that are whole";
    Err(Error::new(ErrorCode::Damaged, message).into())
}

/// How many of the snapshots that were looked at nothing is missing from.
fn whole(verified: &Verified) -> u32 {
    let hurt: BTreeSet<&String> = verified.damage.iter().flat_map(|damage| &damage.snapshots).collect();
    verified.snapshots.saturating_sub(u32::try_from(hurt.len()).unwrap_or(u32::MAX))
}

fn print_damage(damage: &[Damage]) -> anyhow::Result<()> {
    let mut out = stdout();
    for damage in damage {
        writeln!(out, "damage: {}", visible(&placed(&damage.file, &damage.what)))?;
        for (what, names) in [("snapshots", &damage.snapshots), ("tables", &damage.tables)] {
            if !names.is_empty() {
                let names: Vec<String> = names.iter().map(|name| visible(name)).collect();
                writeln!(out, "    {what}: {}", names.join(", "))?;
            }
        }
        if let Some(entries) = damage.entries {
            writeln!(out, "    lost with it: {} of each table", counted(entries, "entry"))?;
        }
    }
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::permille;

    #[test]
    fn a_share_is_a_percentage() {
        assert_eq!(permille("5%"), Ok(50));
        assert_eq!(permille("0.5%"), Ok(5));
        assert_eq!(permille("100%"), Ok(1000));
        for wrong in ["5", "", "%", "0%", "101%", "-1%", "NaN%", "five%"] {
            assert!(permille(wrong).is_err(), "{wrong}");
        }
    }
}
