//! Goes through snapshots from above.

use std::collections::{BTreeSet, HashMap};

use super::found::Found;
use super::seen::{Claim, Seen, Sight};
use super::{Depth, Verified};
use crate::catalog::{self, Table};
use crate::error::{Code, Error, Result};
use crate::id::{Id, Kind};
use crate::index::Location;
use crate::objects::Objects;
use crate::pack;
use crate::progress::{Progress, advance};
use crate::snapshot::{self, Snapshot};
use crate::tracking;
use crate::tree::item::{Items, PIECE};
use crate::tree::node::{Ref, Sums, refs};
use crate::vault::Vault;

/// What an object turned out to be.
enum Object {
    /// Not what was written, or not there; noted.
    Spoilt,
    /// There, and looked at before.
    Known,
    /// There; with its content if it was read.
    There(Option<Vec<u8>>),
}

const LIST: &str =
    "the pack's list of objects is not what was written; `repair` or the next prune puts that right";
/// What is to be done with a file that cannot be read, and that nobody needs any more once this was done.
const AWAY: &str = "It is left as it is: make it readable, or move it away and run `repair`";

/// How often the index is read again in vain before what is missing is taken for lost.
const RELOADS: u32 = 16;

pub(super) struct Look<'a> {
    vault: &'a dyn Vault,
    objects: Objects<'a>,
    depth: Depth,
    progress: &'a dyn Progress,
    /// How long each pack is, or why it cannot be used: it is gone, or cannot be read.
    packs: HashMap<Id, Result<u64>>,
    /// How often the index may still be read again in vain.
    reloads: u32,
    seen: Seen,
    /// Nodes that are damaged, or above something damaged: looked at again for every snapshot that has them.
    spoilt: HashMap<Id, u64>,
    /// Which table of which snapshot is looked at, counted through.
    turn: u64,
    found: Found,
    snapshot: String,
    table: String,
    verified: Verified,
}

impl<'a> Look<'a> {
    pub(super) fn new(vault: &'a dyn Vault, depth: Depth, progress: &'a dyn Progress) -> Result<Self> {
        Ok(Self {
            vault,
            objects: Objects::open(vault)?,
            depth,
            progress,
            packs: HashMap::new(),
            reloads: RELOADS,
            seen: Seen::default(),
            spoilt: HashMap::new(),
            turn: 0,
            found: Found::default(),
            snapshot: String::new(),
            table: String::new(),
            verified: Verified::default(),
        })
    }

    /// What was found. What costs no snapshot anything is a warning.
    pub(super) fn end(self) -> Verified {
        let mut verified = self.verified;
        self.found.into(&mut verified);
        verified
    }

    /// Looks at the files of the index.
    pub(super) fn index(&mut self) -> Result<()> {
        for (file, wrong) in self.objects.index_damage(self.depth == Depth::Data)? {
            let what = if wrong.is_unreadable() {
                format!("{wrong}; what it says is taken from the packs. {AWAY}")
            } else {
                format!("{wrong}; `repair` and the next backup make it again from the packs")
            };
            self.found.warn(file, what);
        }
        if let Err(e) = self.vault.list(pack::DIR) {
            self.found.warn(pack::DIR.to_owned(), e.message);
        }
        let loose = self.objects.index().loose()?;
        for pack in loose.iter() {
            if let Err(e) = pack::entries(self.vault, *pack)
                && e.is_unreadable()
            {
                let what = format!("{e}; the index does not know it. {AWAY}");
                self.found.warn(pack::path(*pack), what);
            }
        }
        Ok(())
    }

    /// Looks at a snapshot and at all that it needs.
    pub(super) fn snapshot(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.snapshot.clone_from(&snapshot.name);
        self.table.clear();
        self.turn += 1;
        let mut schema_is_there = true;
        for id in &snapshot.schema {
            let claim = Some(Claim::of_kind(Kind::Schema));
            schema_is_there &= !matches!(self.object(Kind::Schema, *id, claim, true, None)?, Object::Spoilt);
        }
        if let Some(root) = snapshot.root {
            self.node(Kind::Catalog { level: root.level }, &root.node)?;
        }
        let tables = match catalog::read_tree(&self.objects, snapshot) {
            Ok(tables) => tables,
            Err(e) if e.is_spoilt() => {
                self.note(snapshot::path(&snapshot.name), e.message, None);
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        if schema_is_there {
            match catalog::read_schema(&self.objects, snapshot, tables.len()) {
                Err(e) if e.is_spoilt() => self.note(snapshot::path(&snapshot.name), e.message, None),
                read => drop(read?),
            }
        }
        for Table { name, root, .. } in tables {
            self.table = name;
            self.turn += 1;
            if let Some(root) = root {
                self.node(Kind::Node { level: root.level }, &root.node)?;
            }
            advance(self.progress, "verify", 0, 0)?;
        }
        Ok(())
    }

    /// Looks at what the next backup wants to know. Damage costs it a scan, and nobody any data.
    pub(super) fn tracking(&mut self, snapshot: &Snapshot) -> Result<()> {
        if let Some(tracking) = &snapshot.tracking {
            let read = tracking::check(&self.objects, tracking.root, self.progress)?;
            self.verified.bytes += read.bytes;
            if let Some((file, what)) = read.damage {
                self.found.warn(file, what);
            }
        }
        Ok(())
    }

    /// Looks at a node and at what is below it; `true` if all of that is whole.
    fn node(&mut self, kind: Kind, node: &Ref) -> Result<bool> {
        // A leaf of so many bytes may have pieces, which only it names.
        let must_read = kind != Kind::Node { level: 0 } || node.bytes > PIECE as u64;
        let entries = matches!(kind, Kind::Node { .. }).then_some(node.entries);
        let claim = Claim::of_node(kind, node);
        let content = match self.object(kind, node.id, Some(claim), must_read, entries)? {
            Object::Spoilt => return Ok(false),
            Object::Known | Object::There(None) => return Ok(true),
            Object::There(Some(content)) => content,
        };
        let looked = match kind {
            Kind::Node { level: level @ 1.. } => self.below(Kind::Node { level: level - 1 }, &content),
            Kind::Catalog { level: level @ 1.. } => self.below(Kind::Catalog { level: level - 1 }, &content),
            _ => self.items(&content),
        };
        let (sums, whole) = match looked {
            Err(e) if e.code == Code::Damaged => {
                self.note(String::new(), format!("node {}: {e}", node.id), entries);
                self.spoilt.insert(node.id, self.turn);
                return Ok(false);
            }
            looked => looked?,
        };
        if whole {
            // It was damage to another table, which said something else of it. It would be opened again wherever it
            // stands, and it may stand in more places than can be counted.
            self.spoilt.remove(&node.id);
        } else {
            self.spoilt.insert(node.id, self.turn);
        }
        let truth = sums.map_or(Claim::NONE, |sums| Claim::new(kind, sums));
        self.seen.was_read(kind, &node.id, truth);
        if truth != claim {
            self.lie(node.id, entries);
        }
        Ok(whole && truth == claim)
    }

    /// Something else is said of an object than it holds.
    fn lie(&mut self, id: Id, entries: Option<u64>) {
        self.note(String::new(), format!("object {id} does not hold what is said of it"), entries);
    }

    /// What a node holds, and whether all below it is whole.
    fn below(&mut self, kind: Kind, content: &[u8]) -> Result<(Option<Sums>, bool)> {
        let below: Vec<Ref> = refs(content)?.collect();
        let sums = Sums::of_nodes(&below);
        let mut whole = true;
        for node in below {
            whole &= self.node(kind, &node)?;
        }
        Ok((sums, whole))
    }

    /// What a leaf holds, and whether the pieces of its entries are whole.
    fn items(&mut self, content: &[u8]) -> Result<(Option<Sums>, bool)> {
        let items = Items::new(content).collect::<Result<Vec<_>>>()?;
        let mut whole = true;
        for (id, len) in items.iter().flat_map(|item| item.key.pieces().chain(item.value.pieces())) {
            match self.object(Kind::Blob, id, Some(Claim::of_piece(len)), false, Some(1))? {
                Object::Spoilt => whole = false,
                Object::There(Some(content)) => {
                    self.seen.was_read(Kind::Blob, &id, Claim::of_piece(content.len()));
                    if content.len() != len {
                        self.lie(id, Some(1));
                        whole = false;
                    }
                }
                _ => {}
            }
        }
        Ok((Sums::of_items(&items), whole))
    }

    /// Looks at an object of which this is said, with which so many entries are lost; its bytes are read if they must be,
    /// or if the depth asks for them.
    fn object(
        &mut self,
        kind: Kind,
        id: Id,
        claim: Option<Claim>,
        must_read: bool,
        entries: Option<u64>,
    ) -> Result<Object> {
        let sight = self.seen.look(kind, &id, claim);
        let (new, must_read) = (sight == Sight::New, must_read || sight == Sight::Doubtful);
        match self.spoilt.get(&id) {
            _ if sight == Sight::Lie => {
                self.lie(id, entries);
                return Ok(Object::Spoilt);
            }
            None if sight == Sight::Known => return Ok(Object::Known),
            // All that it costs this table is noted.
            Some(when) if *when == self.turn => return Ok(Object::Spoilt),
            _ => {}
        }
        let Some(place) = self.find(&id)? else {
            let what = format!("object {id} is in no pack that is there");
            return Ok(self.spoil(id, String::new(), what, entries));
        };
        // Where there is a place of it that rests on nothing, the others do not matter.
        let place = match place.mark.is_whole() {
            true => place,
            false => self.objects.index().find_below(&id, 1)?.unwrap_or(place),
        };
        let path = pack::path(place.pack);
        match self.pack(place.pack) {
            Err(wrong) => return self.elsewhere(kind, id, path, wrong, entries),
            Ok(len) if len < u64::from(place.offset) + u64::from(place.len) => {
                let cut = Error::damaged(format!("the pack is cut off at {len} bytes"));
                return self.elsewhere(kind, id, path, cut, entries);
            }
            Ok(_) => {}
        }
        self.verified.objects += u64::from(new);
        if let Some(wrong) = self.base(kind, id, place)? {
            return self.elsewhere(kind, id, path, wrong, entries);
        }
        if !must_read && !self.is_due(&id) {
            return Ok(Object::There(None));
        }
        match self.objects.read_at(kind, id, place) {
            Ok(content) => {
                if new {
                    self.verified.bytes += u64::from(place.len);
                    advance(self.progress, "verify", content.len() as u64, 0)?;
                }
                Ok(Object::There(Some(content)))
            }
            Err(e) if e.is_lost() || e.code == Code::NewerFormat => {
                self.elsewhere(kind, id, path, e, entries)
            }
            Err(e) => Err(e),
        }
    }

    /// Looks at what an object rests on; what is wrong with that, if something is.
    fn base(&mut self, kind: Kind, id: Id, place: Location) -> Result<Option<Error>> {
        if place.mark.is_whole() {
            return Ok(None);
        }
        let mut wrong =
            Error::new(Code::NotFound, format!("object {id} is a delta of one that is in no pack"));
        let bases: BTreeSet<Id> =
            self.objects.index().find_bases(place.mark)?.into_iter().map(|(id, _)| id).collect();
        for base in bases {
            match self.object(kind, base, None, false, None)? {
                Object::Spoilt => {
                    wrong.message =
                        format!("object {id} is a delta of object {base}, which is damaged or missing");
                }
                Object::Known | Object::There(_) => return Ok(None),
            }
        }
        Ok(Some(wrong))
    }

    /// Where an object lies: in a pack that is there, if a prune beside this has not just moved it once more.
    fn find(&mut self, id: &Id) -> Result<Option<Location>> {
        let found = self.objects.find(id)?;
        let there = match found {
            None => false,
            // What was missed before the index was last read is missing.
            Some(place) => self.packs.contains_key(&place.pack) || self.is_there(place.pack),
        };
        if there || self.reloads == 0 {
            return Ok(found);
        }
        self.objects.reload()?;
        self.packs.retain(|_, len| len.is_ok());
        let found = self.objects.find(id)?;
        let there = found.is_some_and(|place| self.is_there(place.pack));
        self.reloads = if there { RELOADS } else { self.reloads - 1 };
        Ok(found)
    }

    /// An object that cannot be read where it was looked for: a prune beside this may just have moved it, and another
    /// copy of it costs nobody anything.
    fn elsewhere(
        &mut self,
        kind: Kind,
        id: Id,
        file: String,
        wrong: Error,
        entries: Option<u64>,
    ) -> Result<Object> {
        match self.objects.read(kind, id) {
            Ok(content) => {
                if wrong.code != Code::NotFound {
                    let what = format!("{}; another copy of it is whole", wrong.message);
                    self.found.warn(file, what);
                }
                Ok(Object::There(Some(content)))
            }
            Err(e) if e.is_lost() || e.code == Code::NewerFormat => {
                Ok(self.spoil(id, file, wrong.message, entries))
            }
            Err(e) => Err(e),
        }
    }

    fn spoil(&mut self, id: Id, file: String, what: String, entries: Option<u64>) -> Object {
        self.spoilt.insert(id, self.turn);
        self.note(file, what, entries);
        Object::Spoilt
    }

    /// Whether the depth asks for this object's bytes.
    fn is_due(&self, id: &Id) -> bool {
        match self.depth {
            Depth::Structure => false,
            Depth::Data => true,
            Depth::Sample(share, number) => {
                let share = u64::from(share.min(1000));
                let shift = (number % 1000) * share % 1000;
                (id.prefix() % 1000 + 1000 - shift) % 1000 < share
            }
        }
    }

    fn is_there(&mut self, pack: Id) -> bool {
        !self.pack(pack).is_err_and(|e| e.code == Code::NotFound)
    }

    /// How long a pack is. What is wrong with its end is noted: the objects can be read all the same, but the index could not
    /// be made again from it.
    fn pack(&mut self, id: Id) -> Result<u64> {
        if let Some(known) = self.packs.get(&id) {
            return known.clone();
        }
        let path = pack::path(id);
        let len = self.vault.len(&path).and_then(|len| self.vault.open(&path).map(|_| len));
        let len = len.map_err(|e| match e.code {
            Code::NotFound => Error::new(Code::NotFound, "the pack is gone"),
            _ => e,
        });
        let wrong = len.as_ref().ok().and_then(|_| pack::entries(self.vault, id).err());
        if let Some(wrong) = wrong.filter(Error::is_spoilt) {
            let what = if wrong.is_unreadable() {
                format!("{wrong}; `repair` and the next backup copy what comes back. {AWAY}")
            } else {
                LIST.to_owned()
            };
            self.found.warn(path, what);
        }
        self.packs.insert(id, len.clone());
        len
    }

    fn note(&mut self, file: String, what: String, entries: Option<u64>) {
        self.found.cost(file, what, &self.snapshot, &self.table, entries);
    }
}
