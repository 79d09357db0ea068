//! What the records of the three interfaces are made from.

use strongroom_order::Made;

use super::bindings::{admit, retain, select};
use super::zone::{Moment, TimeZone};
use crate::model::{Snapshot, Table};

/// `admit` and `retain` have the same records, each for itself: see wit/deps/policy/world.wit.
macro_rules! records {
    ($interface:ident, $moment:ident, $snapshot:ident) => {
        pub(super) fn $moment(at: Moment) -> $interface::Moment {
            $interface::Moment {
                seconds: at.seconds,
                year: at.year,
                month: at.month,
                day: at.day,
                hour: at.hour,
                minute: at.minute,
                second: at.second,
                weekday: at.weekday,
                week: at.week,
                week_year: at.week_year,
                day_number: at.day_number,
                utc_offset: at.utc_offset,
            }
        }

        pub(super) fn $snapshot(snapshot: &Snapshot, at: u64, zone: &TimeZone) -> $interface::Snapshot {
            $interface::Snapshot {
                name: snapshot.name.clone(),
                id: snapshot.id.clone(),
                source: snapshot.source.clone(),
                at: $moment(zone.moment(i64::try_from(at).unwrap_or(i64::MAX))),
                position: snapshot.position,
                tables: snapshot.tables,
                tables_left_out: snapshot.tables_left_out,
                entries: snapshot.entries,
                bytes: snapshot.bytes,
                bytes_added: snapshot.bytes_added,
                labels: snapshot.labels.clone(),
            }
        }
    };
}

records!(admit, admit_moment, admit_snapshot);
records!(retain, retain_moment, retain_snapshot);

/// What decides where a snapshot stands.
pub(super) fn made(snapshot: &Snapshot) -> Made<'_> {
    let Snapshot { source, imported, seq, time, name, .. } = snapshot;
    Made { source, imported: *imported, seq: *seq, time: *time, name }
}

/// Seconds since 1970.
pub(super) fn time(snapshot: &Snapshot) -> i64 {
    i64::try_from(snapshot.time).unwrap_or(i64::MAX)
}

pub(super) fn admit_table(table: &Table) -> admit::Table {
    admit::Table {
        name: table.name.clone(),
        multimap: table.multimap,
        entries: table.entries,
        bytes: table.bytes,
        key_type: table.key_type.clone(),
        value_type: table.value_type.clone(),
        id: table.id.clone(),
    }
}

pub(super) fn select_table(table: &strongroom_store::Table) -> select::Table {
    select::Table {
        name: table.name.clone(),
        multimap: table.multimap,
        entries: table.entries,
        bytes_about: table.bytes_about,
        key_type: table.key_type.clone(),
        value_type: table.value_type.clone(),
    }
}
