//! The entries of a table: from its pages, or through redb.

use super::contain::contain;
use super::packer::Stream;
use super::pages::{CameTo, Counts, Definition, Groups, Pages, Scanned};
use super::part::{self, At, Mark};
use super::slots::ReadLease;
use super::store::{Known, Moment, in_table};
use crate::{Entries, Error, ErrorCode, Result};
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::Xxh3Default;

/// What was found of the pages that is not as it should be: once there is anything, redb reads.
#[derive(Debug, Default)]
pub(super) struct Doubts(Mutex<Option<String>>);

impl Doubts {
    fn add(&self, table: &str, doubt: &Error) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| {
            format!("table {table:?} was read by redb, which checks no page: {doubt}")
        });
    }

    pub(super) fn any(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// What readers of the backup should know.
    pub(super) fn note(&self) -> Option<(String, String)> {
        let first = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        first.map(|first| ("unchecked".to_owned(), first))
    }
}

/// Which entries of a table.
pub(super) struct Stretch {
    pub(super) known: Arc<[Known]>,
    /// Which of the tables.
    pub(super) index: usize,
    pub(super) from: Option<Mark>,
    pub(super) to: Option<Mark>,
    pub(super) moment: Arc<Moment>,
}

impl Stretch {
    fn table(&self) -> &str {
        &self.known[self.index].table.name
    }

    fn until(&self) -> Option<&[u8]> {
        self.to.as_ref().map(|mark| &mark.key[..])
    }

    /// The groups that it is made of, if its marks say that.
    fn groups(&self) -> Option<Groups> {
        let number = |mark: &Option<Mark>, otherwise| match mark {
            None => Some(otherwise),
            Some(Mark { at: At::Group(group), .. }) => Some(*group),
            Some(_) => None,
        };
        let key = |mark: &Option<Mark>| mark.as_ref().map(|mark| mark.key.clone());
        Some(Groups {
            numbers: number(&self.from, 0)?..number(&self.to, u64::MAX)?,
            first: key(&self.from),
            until: key(&self.to),
        })
    }
}

/// A scan in progress.
pub(super) struct Scan {
    // Before the moment, which it needs to its end.
    way: Way,
    stretch: Stretch,
    doubts: Arc<Doubts>,
}

enum Way {
    Pages(Box<Scanned>),
    Redb {
        // Before the lease, which it needs to its end.
        stream: Box<dyn Stream>,
        _lease: ReadLease,
    },
    Failed(Error),
}

impl Scan {
    /// Begins; with the pages of the table, if they may be read.
    pub(super) fn begin(
        stretch: Stretch,
        pages: Option<(Pages, Definition)>,
        counts: &Arc<Counts>,
        doubts: &Arc<Doubts>,
    ) -> Result<Self> {
        let by_pages = match (pages, stretch.groups()) {
            (Some((pages, table)), Some(groups)) => {
                match Scanned::begin(pages, table, groups, Arc::clone(counts)) {
                    Err(doubt) if doubt.code == ErrorCode::Unsupported => {
                        doubts.add(stretch.table(), &doubt);
                        None
                    }
                    begun => Some(Way::Pages(Box::new(begun?))),
                }
            }
            _ => None,
        };
        let way = match by_pages {
            Some(way) => way,
            None => by_redb(&stretch, &CameTo::default())?,
        };
        Ok(Self { way, stretch, doubts: Arc::clone(doubts) })
    }

    fn read_on(&mut self, max: usize, out: &mut Vec<u8>) -> Result<()> {
        if let Way::Pages(scanned) = &mut self.way {
            let begin = out.len();
            match scanned.read(max, out) {
                Err(doubt) if doubt.code == ErrorCode::Unsupported => {
                    self.doubts.add(self.stretch.table(), &doubt);
                    let way = by_redb(&self.stretch, scanned.came_to())?;
                    self.way = way;
                    if out.len() > begin {
                        return Ok(());
                    }
                }
                read => return read,
            }
        }
        match &mut self.way {
            Way::Redb { stream, .. } => stream.pack(self.stretch.until(), max, out),
            Way::Failed(failed) => Err(failed.clone()),
            Way::Pages(_) => Ok(()),
        }
    }
}

/// Goes on through redb where a scan of pages came to.
fn by_redb(stretch: &Stretch, came_to: &CameTo) -> Result<Way> {
    let known = &stretch.known[stretch.index];
    let lease = known.schema.lease()?;
    let from = stretch.from.as_ref().filter(|_| came_to.key.is_none());
    let mut stream = part::begin(&stretch.moment.txn, known, &lease, from)?;
    let other = || {
        Error::new(
            ErrorCode::Corrupt,
            "redb reads other entries than were read before from its pages. If it is the same when it is run again, the disk \
             or the memory is not sound",
        )
    };
    if let Some(last) = &came_to.key {
        if !stream.find(&mut |key, _| key == last)? {
            return Err(other());
        }
        stream.skip()?;
    }
    let (mut left, mut again, mut hash) = (came_to.bytes, Vec::new(), Xxh3Default::new());
    while left > 0 {
        again.clear();
        stream.pack(stretch.until(), usize::try_from(left).unwrap_or(usize::MAX).min(1 << 20), &mut again)?;
        if again.is_empty() {
            return Err(other());
        }
        hash.update(&again);
        left = left.checked_sub(again.len() as u64).ok_or_else(other)?;
    }
    if hash.digest128() != came_to.hash.digest128() {
        return Err(other());
    }
    Ok(Way::Redb { stream, _lease: lease })
}

impl Entries for Scan {
    fn read(&mut self, max: usize, out: &mut Vec<u8>) -> Result<()> {
        let read = contain("reading the table", || self.read_on(max, out));
        read.map_err(|error| {
            let error = in_table(self.stretch.table(), error);
            self.way = Way::Failed(error.clone());
            error
        })
    }
}
