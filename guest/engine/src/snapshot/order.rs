//! Which snapshot comes after which, and which one is meant.

use std::collections::HashMap;

use strongroom_order::{Made, arrange};

use super::{Snapshot, all_as_of, name, nearest, read};
use crate::error::{Code, Error, Result};
use crate::vault::Vault;

/// No snapshot has a greater number: programs that read JSON hold no more exactly.
pub(crate) const SEQ_MAX: u64 = 1 << 53;

/// Snapshots, oldest first: see [`strongroom_order`].
pub(super) fn arranged(snapshots: Vec<Snapshot>, now: Option<u64>) -> Vec<Snapshot> {
    let made: Vec<Made<'_>> = snapshots
        .iter()
        .map(|snapshot| Made {
            source: &snapshot.source,
            imported: snapshot.imported,
            seq: snapshot.seq,
            time: snapshot.time,
            name: &snapshot.name,
        })
        .collect();
    let places = arrange(&made, now);
    let mut snapshots: Vec<Option<Snapshot>> = snapshots.into_iter().map(Some).collect();
    places.iter().filter_map(|place| snapshots[place.index].take()).collect()
}

/// Of snapshots in their order, the newest of each source.
pub(crate) fn newest(snapshots: &[Snapshot]) -> impl Iterator<Item = &Snapshot> {
    let newest: HashMap<&str, &Snapshot> =
        snapshots.iter().map(|snapshot| (snapshot.source.as_str(), snapshot)).collect();
    snapshots.iter().filter(move |snapshot| std::ptr::eq(newest[snapshot.source.as_str()], *snapshot))
}

/// The number of the snapshot after this one, the newest of its source.
pub(crate) fn next_seq(parent: Option<&Snapshot>) -> Result<u64> {
    let Some(parent) = parent else { return Ok(1) };
    let next = parent.seq.checked_add(1).filter(|next| *next <= SEQ_MAX);
    // Whatever an archive says does not keep backups from being made: beside them it does not count.
    next.or(parent.imported.then_some(1)).ok_or_else(|| {
        Error::invalid(format!(
            "snapshot {:?}, the newest of source {:?}, has number {}, and no number after that can be used; forget it if \
             nobody needs it, or back up as another --source",
            parent.name, parent.source, parent.seq
        ))
    })
}

/// The snapshot that is meant: a name, the beginning of an id (the newest that has it), or `latest`.
pub(crate) fn find(vault: &dyn Vault, which: &str) -> Result<Snapshot> {
    find_as_of(vault, which, None)
}

/// The same; times past now do not count.
pub(crate) fn find_as_of(vault: &dyn Vault, which: &str, now: Option<u64>) -> Result<Snapshot> {
    if name::check(which).is_ok() {
        match read(vault, which) {
            Err(e) if e.code == Code::NotFound => {}
            read => return read,
        }
    }
    let (snapshots, unreadable) = all_as_of(vault, now)?;
    let hint = match (snapshots.is_empty(), unreadable.len()) {
        (true, 0) => "; the repository holds no snapshot yet".to_owned(),
        (_, 0) => match near(which, &snapshots) {
            Some(name) => format!("; did you mean {name:?}? `snapshots` lists those that are there"),
            None => "; `snapshots` lists those that are there".to_owned(),
        },
        (_, n) => format!("; {n} snapshot file(s) cannot be read, `verify` says more"),
    };
    let is_hex = which.len() >= 4 && which.bytes().all(|b| b.is_ascii_hexdigit());
    let prefix = which.to_ascii_lowercase();
    let mut newest_first = snapshots.into_iter().rev();
    let found = if which == "latest" {
        newest_first.next()
    } else if is_hex {
        newest_first.find(|snapshot| snapshot.id.hex().starts_with(&prefix))
    } else {
        None
    };
    found.ok_or_else(|| Error::new(Code::NotFound, format!("there is no snapshot {which:?}{hint}")))
}

/// What may have been meant by a name that no snapshot has.
fn near<'a>(which: &str, snapshots: &'a [Snapshot]) -> Option<&'a str> {
    if name::check(which).is_err() {
        return None;
    }
    // The newest first, as of those that are equally near.
    nearest::nearest(which, ["latest"].into_iter().chain(snapshots.iter().rev().map(|one| one.name.as_str())))
}
