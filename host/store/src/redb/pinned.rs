//! Beginning to read a database that this process has open, so that it is known which commit in its file is seen.
//!
//! redb does not say, and what it sees may not even be in the file: commits without durability are in memory only. So
//! the read transaction is begun while this holds redb's place for the one writer, which is then given up by an empty
//! commit. Its header in the file names it and, beside it, the commit that was the last one before; if both have the
//! same root, that is the root that is pinned. That the commit is found in the file proves that it is the file of the
//! database.

use super::fault::{fault, io_fault};
use super::pages::{HEADER_LEN, Header, Pages, ReadAt, Slot, doubt};
use super::store::Committed;
use crate::Result;
use redb::backends::FileBackend;
use redb::{Database, ReadTransaction, ReadableDatabase, TransactionError, WriteTransaction};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long to wait for the application's writers, who may have one transaction after another.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_micros(50);
/// Commits without durability before it, or others right after it, make another attempt necessary.
const ATTEMPTS: u32 = 8;

/// Begins to read; also when it cannot be known what is seen, and then says why.
pub(super) fn begin(database: &Database, path: &Path) -> Result<(ReadTransaction, Result<Committed>)> {
    let begin = || database.begin_read().map_err(|error| fault("beginning to read the database", error));
    let what = || format!("opening {}", path.display());
    let file = File::open(path).map_err(|error| io_fault(&what(), &error));
    let file = file.and_then(|file| FileBackend::new(file).map_err(|error| fault(&what(), error)));
    let file: Arc<dyn ReadAt> = match file {
        Ok(file) => Arc::new(file),
        Err(error) => return Ok((begin()?, Err(error))),
    };
    for _ in 0..ATTEMPTS {
        let Some(place) = writers_place(database)? else {
            return Ok((begin()?, Err(doubt("the application's writers left no room for an empty commit"))));
        };
        let txn = begin()?;
        match commit(place, &*file)? {
            Found::Pinned(header, slot) => {
                return Ok((txn, Ok(Committed { pages: Pages::new(file, &header), slot })));
            }
            Found::Again => {}
            Found::Nothing => return Ok((txn, Err(doubt(format!("{} is another file", path.display()))))),
        }
    }
    Ok((begin()?, Err(doubt("there are too many commits without durability"))))
}

enum Found {
    Pinned(Box<Header>, Slot),
    Again,
    Nothing,
}

/// Makes the empty commit, and looks for it in the file.
fn commit(mut place: WriteTransaction, file: &dyn ReadAt) -> Result<Found> {
    let before = header(file);
    // What quick repair needs is in the last commit, or nowhere.
    place.set_quick_repair(before.as_ref().is_some_and(Header::two_phase));
    let Some(before) = before else { return Ok(Found::Nothing) };
    place.commit().map_err(|error| fault("an empty commit", error))?;
    let (Some(after), Some(last)) = (header(file), before.primary()) else { return Ok(Found::Nothing) };
    Ok(match (after.primary(), after.secondary()) {
        (Some(mine), Some(secondary)) if secondary == last && mine.txn > last.txn => {
            // Another root, if commits without durability came with it: the next attempt is after them.
            if mine.root == last.root && !after.unflushed() {
                Found::Pinned(Box::new(after), mine)
            } else {
                Found::Again
            }
        }
        _ if after == before => Found::Nothing,
        // Somebody else has committed since.
        _ => Found::Again,
    })
}

fn header(file: &dyn ReadAt) -> Option<Header> {
    let mut bytes = [0; HEADER_LEN];
    file.read_at(0, &mut bytes).ok()?;
    Header::parse(&bytes)
}

/// Waits for redb's place for the one writer; not for ever, for this thread may have it.
fn writers_place(database: &Database) -> Result<Option<WriteTransaction>> {
    let until = Instant::now() + PATIENCE;
    loop {
        match database.try_begin_write() {
            Ok(place) => return Ok(Some(place)),
            Err(TransactionError::WouldBlock) if Instant::now() < until => std::thread::sleep(PAUSE),
            Err(TransactionError::WouldBlock) => return Ok(None),
            Err(error) => return Err(fault("an empty commit", error)),
        }
    }
}
