//! `verify`

use std::io::Write;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use strongroom_core::{Damage, Depth, Error, ErrorCode, Verified};

use crate::session::{Session, stdout};
use strongroom_core::text::{counted, duration, size, visible};

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

The exit code is 12 if something is wrong.")]
pub(crate) struct Args {
    /// Only what this snapshot needs: a name, the beginning of an id, or `latest`
    snapshot: Option<String>,

    /// Read and hash every byte
    #[arg(long, conflicts_with = "sample")]
    read_data: bool,

    /// Read and hash a share of the data, which changes from day to day
    #[arg(long, value_name = "PERCENT%", value_parser = permille)]
    sample: Option<u32>,
}

/// `5%`, `0.5%` in thousandths.
fn permille(text: &str) -> Result<u32, String> {
    let percent: Option<f64> = text.strip_suffix('%').and_then(|number| number.parse().ok());
    let permille =
        percent.map(|percent| (percent * 10.0).round()).filter(|permille| (1.0..=1000.0).contains(permille));
    permille
        .map(|permille| permille as u32)
        .ok_or_else(|| "give a share from 0.1% to 100%, as in 5%".to_owned())
}

/// The answer for programs.
#[derive(Serialize)]
struct Done {
    snapshots: u32,
    objects: u64,
    bytes: u64,
    damage: usize,
    seconds: f64,
}

const SECONDS_PER_DAY: u64 = 86_400;

pub(crate) fn run(session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
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
        let Verified { snapshots, objects, bytes, ref damage, .. } = verified;
        let seconds = started.elapsed().as_secs_f64();
        session.print_json("verified", &Done { snapshots, objects, bytes, damage: damage.len(), seconds })?;
    } else {
        print_damage(&verified.damage)?;
        let read = if depth == Depth::Structure {
            String::new()
        } else {
            format!("  {} read", size(verified.bytes))
        };
        let found = if verified.damage.is_empty() { "no damage" } else { "DAMAGED" };
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
    let message = "the repository is damaged. A backup of a database that still holds the data stores it anew; \
                   `restore --skip-damaged` restores the tables that are whole";
    Err(Error::new(ErrorCode::Damaged, message).into())
}

fn print_damage(damage: &[Damage]) -> anyhow::Result<()> {
    let mut out = stdout();
    for damage in damage {
        let place =
            if damage.file.is_empty() { String::new() } else { format!("{}: ", visible(&damage.file)) };
        writeln!(out, "damage: {place}{}", visible(&damage.what))?;
        for (what, names) in [("snapshots", &damage.snapshots), ("tables", &damage.tables)] {
            if !names.is_empty() {
                let names: Vec<String> = names.iter().map(|name| visible(name)).collect();
                writeln!(out, "    {what}: {}", names.join(", "))?;
            }
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
