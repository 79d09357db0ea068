//! Content by id, whatever file it lies in.

use std::cell::{self, RefCell};
use std::collections::VecDeque;

use crate::chain::{Chain, Link};
use crate::delta::{Base, DEPTH_MAX};
use crate::error::{Code, Error, Result};
use crate::id::{Id, Kind};
use crate::index::{Index, Location};
use crate::object::{self, Stored};
use crate::pack;
use crate::tree::node::Ref;
use crate::tree::old::Bases;
use crate::tree::walk::Get;
use crate::vault::{Vault, VaultFile};

/// Packs that are held open. What an object rests on lies in the packs of as many backups.
const OPEN_PACKS: usize = 192;
/// What is read at once where objects are read one after the other.
const WINDOW: usize = 64 << 10;
/// They are one after the other if no more than this is between one and the next.
const GAP: u64 = 16 << 10;

/// Reads objects, each of which is verified against its id.
pub(crate) struct Objects<'a> {
    vault: &'a dyn Vault,
    index: RefCell<Index<'a>>,
    open: RefCell<VecDeque<OpenPack>>,
}

struct OpenPack {
    id: Id,
    file: Box<dyn VaultFile>,
    /// What was read of it last, and from where.
    window_at: u64,
    window: Vec<u8>,
    /// Where the last object ended that was asked for.
    end: u64,
}

impl<'a> Objects<'a> {
    pub(crate) fn open(vault: &'a dyn Vault) -> Result<Self> {
        Ok(Self::over(vault, Index::open(vault)?))
    }

    /// Of what this index lists.
    pub(crate) fn over(vault: &'a dyn Vault, index: Index<'a>) -> Self {
        Self { vault, index: RefCell::new(index), open: RefCell::default() }
    }

    /// The index that it goes by.
    pub(crate) fn index(&self) -> cell::Ref<'_, Index<'a>> {
        self.index.borrow()
    }

    /// Where an object lies.
    pub(crate) fn find(&self, id: &Id) -> Result<Option<Location>> {
        self.index.borrow().find_anywhere(id)
    }

    /// All places where this object is said to lie.
    pub(crate) fn places(&self, id: &Id) -> Result<Vec<Location>> {
        self.index.borrow().find_all(id)
    }

    /// Reads the index again: another run may have moved things.
    pub(crate) fn reload(&self) -> Result<()> {
        self.open.borrow_mut().clear();
        *self.index.borrow_mut() = Index::open(self.vault)?;
        Ok(())
    }

    /// Files of the index that are damaged, and how. With `all`, every byte of it is read first.
    pub(crate) fn index_damage(&self, all: bool) -> Result<Vec<(String, Error)>> {
        if all {
            self.index.borrow_mut().check()?;
        }
        Ok(self.index.borrow().damage().to_vec())
    }

    /// The content of an object, checked.
    ///
    /// What is missed is looked for once more in the index as it is then: a prune beside this may have moved it. What is
    /// damaged is read from another place that the index knows.
    pub(crate) fn read(&self, kind: Kind, id: Id) -> Result<Vec<u8>> {
        let mut read = self.try_read(kind, id);
        if matches!(&read, Err(e) if e.code == Code::NotFound) {
            self.reload()?;
            read = self.try_read(kind, id);
        }
        read.or_else(|e| {
            if !e.is_lost() {
                return Err(e);
            }
            let lost = if e.is_unreadable() { e } else { Error::damaged(e.message) };
            self.read_elsewhere(kind, id)?.ok_or(lost)
        })
    }

    /// The content of an object from whichever place that the index knows gives it back; `None` if none does.
    pub(crate) fn read_elsewhere(&self, kind: Kind, id: Id) -> Result<Option<Vec<u8>>> {
        let places = self.index.borrow().find_all(&id)?;
        for place in places {
            match self.read_at(kind, id, place) {
                Ok(content) => return Ok(Some(content)),
                Err(e) if e.is_lost() => {}
                Err(e) => return Err(e),
            }
        }
        Ok(None)
    }

    fn try_read(&self, kind: Kind, id: Id) -> Result<Vec<u8>> {
        let place = self.find(&id)?.ok_or_else(|| {
            Error::new(
                Code::NotFound,
                format!("object {id} is in no pack that is there; was a file taken away?"),
            )
        })?;
        self.read_at(kind, id, place)
    }

    /// The content of an object that lies here, checked.
    pub(crate) fn read_at(&self, kind: Kind, id: Id, place: Location) -> Result<Vec<u8>> {
        self.chain_at(kind, id, place)?.into_content()
    }

    /// The content of an object, checked, with what it takes to store another as a delta of it. Whoever cannot have it
    /// stores the other whole.
    pub(crate) fn read_base(&self, kind: Kind, id: Id) -> Result<Base> {
        let place = self.find(&id)?;
        let place = place.ok_or_else(|| Error::new(Code::NotFound, format!("object {id} is in no pack")))?;
        let chain = self.chain_at(kind, id, place)?;
        let (content, depth) = (chain.content()?, chain.depth());
        let full = (depth == DEPTH_MAX).then_some((chain.full.id, chain.full.body));
        if let Some((id, content)) = &full {
            object::check(kind, *id, content)?;
        }
        Ok(Base { kind, id, content, depth, full })
    }

    /// Whether a delta that lies here gives its content back.
    pub(crate) fn gives_back(&self, stored: &Stored<'_>, place: Location) -> Result<bool> {
        let content = self.chain(stored, place)?.map(Chain::into_content).transpose();
        match content {
            Err(e) if matches!(e.code, Code::Damaged | Code::NotFound) => Ok(false),
            content => content.map(|content| content.is_some()),
        }
    }

    /// An object and all that it rests on; `None` if something of that does not come back.
    pub(crate) fn chain(&self, stored: &Stored<'_>, place: Location) -> Result<Option<Chain>> {
        match self.chain_of(Link::at(stored, place)?) {
            Ok(chain) => Ok(Some(chain)),
            Err(e) if matches!(e.code, Code::Damaged | Code::NotFound) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn chain_at(&self, kind: Kind, id: Id, place: Location) -> Result<Chain> {
        self.chain_of(self.link(kind, id, place)?)
    }

    /// An object and all that it rests on. Every one rests on fewer than the one before, so this ends.
    fn chain_of(&self, link: Link) -> Result<Chain> {
        let mut deltas = Vec::new();
        let mut link = link;
        while let Some(base) = link.base {
            let below = self.base_of(&link, base)?;
            deltas.push(link);
            link = below;
        }
        Ok(Chain { deltas, full: link })
    }

    /// What a delta rests on, from whichever place gives it back.
    fn base_of(&self, delta: &Link, base: Id) -> Result<Link> {
        let rests = |e: Error| e.at(format_args!("object {} is a delta of {base}", delta.id));
        let depth = delta.mark.depth();
        let Some(first) = self.index.borrow().find_below(&base, depth)? else {
            return Err(rests(Error::new(Code::NotFound, "which is in no pack that is there".to_owned())));
        };
        let first = match self.link(delta.kind, base, first) {
            Err(e) if e.is_lost() => e,
            read => return read.map_err(rests),
        };
        for place in self.index.borrow().find_all(&base)? {
            if place.mark.depth() < depth
                && let Ok(link) = self.link(delta.kind, base, place)
            {
                return Ok(link);
            }
        }
        Err(rests(first))
    }

    /// What is stored at this place: an object of this kind and id.
    fn link(&self, kind: Kind, id: Id, place: Location) -> Result<Link> {
        let path = || pack::path(place.pack);
        let mut open = self.open.borrow_mut();
        let at = open.iter().position(|pack| pack.id == place.pack);
        let pack = match at.and_then(|at| open.remove(at)) {
            Some(pack) => pack,
            None => {
                let file = self.vault.open(&path()).map_err(|e| match e.code {
                    Code::NotFound => Error::new(Code::NotFound, format!("{} is gone", path())),
                    _ => e,
                })?;
                OpenPack { id: place.pack, file, window_at: 0, window: Vec::new(), end: 0 }
            }
        };
        if open.len() == OPEN_PACKS {
            open.pop_front();
        }
        open.push_back(pack);
        let pack = open.back_mut().expect("it was pushed");
        // Leaves and pieces follow each other; nodes above them are read alone, and so are deltas.
        let ahead = matches!(kind, Kind::Node { level: 0 } | Kind::Blob) && place.mark.is_whole();
        let read = pack.with(place, ahead, |bytes| {
            let stored = Stored::parse(bytes)?;
            if stored.id != id || stored.kind != kind {
                return Err(Error::damaged(format!("another object stands where {id} should be")));
            }
            if stored.mark != place.mark {
                return Err(Error::damaged(format!("object {id} rests on another than the index says")));
            }
            Link::at(&stored, place)
        });
        read.map_err(|e| e.at(format_args!("{} at {}", path(), place.offset)))
    }
}

impl OpenPack {
    fn with<T>(
        &mut self,
        place: Location,
        ahead: bool,
        use_it: impl FnOnce(&[u8]) -> Result<T>,
    ) -> Result<T> {
        let (offset, len) = (u64::from(place.offset), place.len as usize);
        if len > object::HEADER + object::CONTENT_MAX {
            return Err(Error::damaged(format!("the index claims an object of {len} bytes")));
        }
        let in_window = |pack: &Self| {
            let start = usize::try_from(offset.checked_sub(pack.window_at)?).ok()?;
            (start + len <= pack.window.len()).then_some(start..start + len)
        };
        let range = match in_window(self) {
            Some(range) => range,
            None => {
                // What delta after delta rests on is scattered, and so is what an increment changes.
                let goes_on = offset.checked_sub(self.end).is_some_and(|gap| gap <= GAP);
                let wanted = if ahead && goes_on { len.max(WINDOW) } else { len };
                let mut window = match self.file.read_at(offset, wanted) {
                    // It may be what lies ahead that cannot be read.
                    Err(e) if wanted > len && e.is_unreadable() => self.file.read_at(offset, len)?,
                    window => window?,
                };
                if window.len() < len {
                    window = self.file.read(offset, len)?;
                }
                // Together: after an error, bytes from elsewhere would pass for damage.
                (self.window, self.window_at) = (window, offset);
                0..len.min(self.window.len())
            }
        };
        if range.len() < len {
            return Err(Error::damaged("the pack is cut off"));
        }
        self.end = offset + len as u64;
        use_it(&self.window[range])
    }
}

impl Bases for Objects<'_> {
    fn base(&self, kind: Kind, node: &Ref) -> Result<Base> {
        self.read_base(kind, node.id).or_else(|_| {
            // It may lie elsewhere too; nothing is made a delta of it then.
            let content = self.read(kind, node.id)?;
            Ok(Base { kind, id: node.id, content, depth: DEPTH_MAX, full: None })
        })
    }
}

impl Get for Objects<'_> {
    fn get(&self, kind: Kind, node: &Ref) -> Result<Vec<u8>> {
        self.read(kind, node.id)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::delta::Mark;

    /// A file of which reads give so many bytes at most, or fail.
    struct Weak(RefCell<Vec<Option<usize>>>);

    impl VaultFile for Weak {
        fn write_at(&mut self, _offset: u64, _bytes: &[u8]) -> Result<()> {
            Ok(())
        }
        fn read_at(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
            let most = self.0.borrow_mut().pop().unwrap_or(Some(usize::MAX));
            let most = most.ok_or_else(|| Error::new(Code::Io, "this read fails"))?;
            Ok((offset..).take(len.min(most)).map(|at| at as u8).collect())
        }
        fn len(&self) -> Result<u64> {
            Ok(1 << 20)
        }
        fn sync(&self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_read_that_failed_halfway_does_not_spoil_the_next_one() {
        let reads = vec![None, Some(50), Some(100)];
        let file = Box::new(Weak(RefCell::new(reads)));
        let mut pack = OpenPack { id: Id([0; 32]), file, window_at: 0, window: Vec::new(), end: 0 };
        let mut read = |offset: u32, len: u32| {
            let place = Location { pack: Id([0; 32]), offset, len, mark: Mark::WHOLE };
            pack.with(place, false, |bytes| Ok(bytes.to_vec()))
        };
        let first = read(0, 100).unwrap();
        assert_eq!(read(130, 100).map_err(|e| e.code), Err(Code::Io));
        assert_eq!(read(0, 40).unwrap(), first[..40]);
    }
}
