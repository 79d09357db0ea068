//! Takes an archive into a repository.

use super::order::Wanted;
use super::{Reader, Take, check_names};
use crate::backup::stock::Stock;
use crate::backup::{Folding, add_to_index, check_source};
use crate::error::{Code, Error, Result};
use crate::progress::{Progress, advance};
use crate::snapshot::{self, Newest, Snapshot};
use crate::vault::Vault;
use crate::{index, repository};

/// An archive on its way into a repository, which is made if the directory is empty.
///
/// Objects that the repository lacks are written as they come, each checked before. The snapshot is there when
/// [`Import::finish`] has returned: all that it needs is durable and in the index by then. Whoever drops it before leaves
/// nothing but packs that the next import of the same archive makes use of, or the next prune takes away.
pub struct Import<'a> {
    reader: Reader,
    taking: Taking<'a>,
}

struct Taking<'a> {
    vault: &'a dyn Vault,
    name: Option<String>,
    source: Option<String>,
    progress: &'a dyn Progress,
    begun: Option<Begun<'a>>,
}

/// What is known once the archive has said what it is of.
struct Begun<'a> {
    snapshot: Snapshot,
    stock: Stock<'a>,
    newest: Newest,
    is_newest: bool,
}

impl<'a> Import<'a> {
    /// Takes an archive in, under its own name and of its own source, or under others.
    pub fn new(
        vault: &'a dyn Vault,
        name: Option<&str>,
        source: Option<&str>,
        progress: &'a dyn Progress,
    ) -> Result<Self> {
        name.map_or(Ok(()), snapshot::name::check)?;
        source.map_or(Ok(()), check_source)?;
        let (name, source) = (name.map(str::to_owned), source.map(str::to_owned));
        let taking = Taking { vault, name, source, progress, begun: None };
        Ok(Self { reader: Reader::default(), taking })
    }

    /// Takes the next bytes of the archive. After an error nothing more is taken.
    pub fn take(&mut self, bytes: &[u8]) -> Result<()> {
        self.reader.push(bytes, &mut self.taking)
    }

    /// The archive has ended: publishes the snapshot if all of it was there.
    pub fn finish(self) -> Result<Snapshot> {
        self.reader.finish()?;
        let Taking { vault, progress, begun, .. } = self.taking;
        let Some(Begun { mut snapshot, stock, newest, is_newest }) = begun else {
            return Err(Error::invalid("there is no archive"));
        };
        let (packs, bytes_added) = stock.finish()?;
        if !packs.is_empty() {
            add_to_index(vault, packs, &Folding::default(), progress)?;
        }
        advance(progress, "import", 0, 0)?;
        snapshot.bytes_added = bytes_added;
        snapshot.write_unfinished(vault)?;
        snapshot::publish(vault, &snapshot, newest, is_newest)?;
        Ok(snapshot)
    }
}

impl Take for Taking<'_> {
    fn snapshot(&mut self, snapshot: &Snapshot) -> Result<()> {
        // Only its own: what comes with it is of use where it was made.
        let mut snapshot = Snapshot { tracking: None, imported: true, ..snapshot.clone() };
        if let Some(name) = &self.name {
            snapshot.name.clone_from(name);
        }
        if let Some(source) = &self.source {
            snapshot.source.clone_from(source);
        }
        check_names(&snapshot, "give another --name")?;
        let there = match repository::check(self.vault) {
            Ok(()) => true,
            Err(e) if e.code == Code::NoRepository => false,
            Err(e) => return Err(e),
        };
        if there && snapshot::exists(self.vault, &snapshot.name)? {
            return Err(taken(self.vault, &snapshot));
        }
        let snapshots = if there { snapshot::all(self.vault)?.0 } else { Vec::new() };
        settle_number(&mut snapshot, &snapshots, self.source.is_some())?;
        repository::prepare(self.vault)?;
        // What is in the index is not written again, so all of it is read first.
        index::mend(self.vault, true, &[], self.progress)?;
        let place = |one: &Snapshot| (one.seq, one.time, one.name.clone());
        let is_newest = snapshot::newest(&snapshots)
            .find(|newest| newest.source == snapshot.source)
            .is_none_or(|newest| newest.imported && place(newest) < place(&snapshot));
        let newest = Newest::of(self.vault, &snapshots)?;
        let stock = Stock::open(self.vault, "import")?;
        self.begun = Some(Begun { snapshot, stock, newest, is_newest });
        Ok(())
    }

    fn object(&mut self, wanted: &Wanted, stored: &[u8], _content: &[u8]) -> Result<()> {
        if let Some(begun) = &mut self.begun {
            begun.stock.put_stored(wanted.id, stored)?;
        }
        advance(self.progress, "import", stored.len() as u64, wanted.entries())
    }
}

/// Fails if the number cannot be that of another snapshot of its source: then it is of another database, or nobody made it
/// so. Of a source that the caller named, a number that cannot be is made one.
fn settle_number(snapshot: &mut Snapshot, there: &[Snapshot], named: bool) -> Result<()> {
    let of_source = || there.iter().filter(|other| other.source == snapshot.source);
    let (seq, source) = (snapshot.seq, &snapshot.source);
    let advice = "import it as another --source";
    if seq > snapshot::SEQ_MAX {
        if !named {
            let message = format!(
                "the archive says that it is number {seq} of source {source:?}, which cannot be; {advice}"
            );
            return Err(Error::invalid(message));
        }
        let newest = of_source().map(|other| other.seq).max().unwrap_or(0);
        snapshot.seq = newest.saturating_add(1).min(snapshot::SEQ_MAX);
    } else if let Some(other) = of_source().find(|other| other.seq == seq && other.id != snapshot.id) {
        let message = format!(
            "the archive is number {seq} of source {source:?}, and so is snapshot {:?} with other data: they are of different \
             databases, or of different histories of one; {advice}",
            other.name
        );
        return Err(Error::new(Code::Exists, message));
    }
    Ok(())
}

/// There is a snapshot of this name.
fn taken(vault: &dyn Vault, snapshot: &Snapshot) -> Error {
    let name = &snapshot.name;
    let which = match snapshot::read(vault, name) {
        Ok(there) if there.id == snapshot.id => "with the same data",
        Ok(_) => "with other data",
        Err(_) => "whose file cannot be read",
    };
    let message = format!("there is a snapshot {name:?} already, {which}; give another --name to have both");
    Error::new(Code::Exists, message)
}
