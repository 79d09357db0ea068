//! Looks whether everything is there that the snapshots need.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::catalog::{self, Table};
use crate::error::{Code, Error, Result};
use crate::id::{Id, Kind};
use crate::index::Location;
use crate::objects::Objects;
use crate::pack;
use crate::progress::{Progress, advance};
use crate::repository;
use crate::snapshot::{self, Snapshot};
use crate::tracking;
use crate::tree::item::{Items, PIECE};
use crate::tree::node::{Ref, refs};
use crate::vault::Vault;

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every object is there, in a pack of the right length; all nodes above the leaves are read.
    Structure,
    /// Every byte is read and hashed.
    Data,
    /// A share of the data, in thousandths; which share follows from the number, so that all is read in turn.
    Sample(u32, u64),
}

/// One thing that is wrong, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file it is in, from the repository's root.
    pub file: String,
    /// Snapshots that are not whole because of it.
    pub snapshots: Vec<String>,
    /// Tables of theirs that are not.
    pub tables: Vec<String>,
    /// How many entries of each of these tables are lost with it, if that is known.
    pub entries: Option<u64>,
    /// What is wrong.
    pub what: String,
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// Snapshots that were looked at.
    pub snapshots: u32,
    /// Objects, each counted once.
    pub objects: u64,
    /// Stored bytes that were read and hashed.
    pub bytes: u64,
    /// What is wrong.
    pub damage: Vec<Damage>,
}

/// Looks at one snapshot, or at all.
pub fn verify(
    vault: &dyn Vault,
    which: Option<&str>,
    depth: Depth,
    progress: &dyn Progress,
) -> Result<Verified> {
    repository::check(vault)?;
    let (snapshots, unreadable) = match which {
        Some(which) => (vec![snapshot::find(vault, which)?], Vec::new()),
        None => snapshot::all(vault)?,
    };
    let mut look = Look {
        vault,
        objects: Objects::open(vault)?,
        depth,
        progress,
        packs: HashMap::new(),
        reloads: RELOADS,
        seen: Seen::default(),
        spoilt: HashMap::new(),
        turn: 0,
        found: BTreeMap::new(),
        snapshot: String::new(),
        table: String::new(),
        verified: Verified { snapshots: snapshots.len() as u32, ..Verified::default() },
    };
    for file in unreadable {
        look.found.entry((file.file, file.error.message)).or_default();
    }
    for (file, wrong) in look.objects.index_damage(depth == Depth::Data)? {
        look.found
            .entry((file, format!("{wrong}; `repair` and the next backup make it again from the packs")))
            .or_default();
    }
    for snapshot in &snapshots {
        look.snapshot(snapshot)?;
    }
    if depth == Depth::Data && which.is_none() {
        for snapshot in snapshot::newest(&snapshots) {
            look.tracking(snapshot)?;
        }
    }
    let found = look.found.into_iter().map(|((file, what), at)| {
        let Costs { snapshots, tables, entries } = at;
        Damage {
            file,
            what,
            snapshots: snapshots.into_iter().collect(),
            tables: tables.into_iter().collect(),
            entries,
        }
    });
    Ok(Verified { damage: found.collect(), ..look.verified })
}

/// Objects that were looked at, so that what snapshots share is looked at once. Bounded: where there are more, what
/// they share is looked at more often.
#[derive(Default)]
pub(crate) struct Seen {
    branches: HashSet<u128>,
    others: HashSet<u128>,
}

impl Seen {
    const BRANCHES_MAX: usize = 1 << 18;
    const OTHERS_MAX: usize = 1 << 20;

    /// `true` if it is new.
    pub(crate) fn insert(&mut self, kind: Kind, id: &Id) -> bool {
        let key = u128::from_be_bytes(id.0[..16].try_into().expect("sixteen bytes"));
        let (set, max) = match kind {
            Kind::Node { level: 0 } | Kind::Blob => (&mut self.others, Self::OTHERS_MAX),
            _ => (&mut self.branches, Self::BRANCHES_MAX),
        };
        if set.len() < max { set.insert(key) } else { !set.contains(&key) }
    }
}

/// What an object turned out to be.
enum Object {
    /// Not what was written, or not there; noted.
    Spoilt,
    /// There, and looked at before.
    Known,
    /// There; with its content if it was read.
    There(Option<Vec<u8>>),
}

/// How often the index is read again in vain before what is missing is taken for lost.
const RELOADS: u32 = 16;

/// What something costs.
#[derive(Default)]
struct Costs {
    snapshots: BTreeSet<String>,
    tables: BTreeSet<String>,
    /// Entries of each of these tables.
    entries: Option<u64>,
}

struct Look<'a> {
    vault: &'a dyn Vault,
    objects: Objects<'a>,
    depth: Depth,
    progress: &'a dyn Progress,
    /// How long each pack is; `None`: it is gone.
    packs: HashMap<Id, Option<u64>>,
    /// How often the index may still be read again in vain.
    reloads: u32,
    seen: Seen,
    /// Nodes that are damaged, or above something damaged: looked at again for every snapshot that has them.
    spoilt: HashMap<Id, u64>,
    /// Which table of which snapshot is looked at, counted through.
    turn: u64,
    /// By file and by what is wrong: which snapshots and tables it costs.
    found: BTreeMap<(String, String), Costs>,
    snapshot: String,
    table: String,
    verified: Verified,
}

impl Look<'_> {
    fn snapshot(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.snapshot.clone_from(&snapshot.name);
        self.table.clear();
        self.turn += 1;
        let mut schema_is_there = true;
        for id in &snapshot.schema {
            schema_is_there &= !matches!(self.object(Kind::Schema, *id, true, None)?, Object::Spoilt);
        }
        if let Some(root) = snapshot.root {
            self.node(Kind::Catalog { level: root.level }, &root.node)?;
        }
        let tables = match catalog::read_tree(&self.objects, snapshot) {
            Ok(tables) => tables,
            Err(e) if e.code == Code::Damaged => {
                self.note(snapshot::path(&snapshot.name), e.message, None);
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        if schema_is_there {
            match catalog::read_schema(&self.objects, snapshot, tables.len()) {
                Err(e) if e.code == Code::Damaged => {
                    self.note(snapshot::path(&snapshot.name), e.message, None)
                }
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
    fn tracking(&mut self, snapshot: &Snapshot) -> Result<()> {
        if let Some(tracking) = &snapshot.tracking {
            let read = tracking::check(&self.objects, tracking.root, self.progress)?;
            self.verified.bytes += read.bytes;
            self.found.extend(read.damage.map(|damage| (damage, Costs::default())));
        }
        Ok(())
    }

    /// Looks at a node and at what is below it; `true` if all of that is whole.
    fn node(&mut self, kind: Kind, node: &Ref) -> Result<bool> {
        // A leaf of so many bytes may have pieces, which only it names.
        let must_read = kind != Kind::Node { level: 0 } || node.bytes > PIECE as u64;
        let entries = matches!(kind, Kind::Node { .. }).then_some(node.entries);
        let content = match self.object(kind, node.id, must_read, entries)? {
            Object::Spoilt => return Ok(false),
            Object::Known | Object::There(None) => return Ok(true),
            Object::There(Some(content)) => content,
        };
        let whole = match kind {
            Kind::Node { level: level @ 1.. } => self.below(Kind::Node { level: level - 1 }, node, &content),
            Kind::Catalog { level: level @ 1.. } => {
                self.below(Kind::Catalog { level: level - 1 }, node, &content)
            }
            _ => self.items(node, &content),
        };
        let whole = match whole {
            Err(e) if e.code == Code::Damaged => {
                self.note(String::new(), format!("node {}: {e}", node.id), entries);
                false
            }
            whole => whole?,
        };
        if whole {
            // What another table said of it was wrong. It would be opened again wherever it stands, and it may stand in
            // more places than can be counted.
            self.spoilt.remove(&node.id);
        } else {
            self.spoilt.insert(node.id, self.turn);
        }
        Ok(whole)
    }

    fn below(&mut self, kind: Kind, node: &Ref, content: &[u8]) -> Result<bool> {
        let below: Vec<Ref> = refs(content)?.collect();
        node.check(below.iter().map(|below| (below.entries, below.bytes)))?;
        let mut whole = true;
        for node in below {
            whole &= self.node(kind, &node)?;
        }
        Ok(whole)
    }

    fn items(&mut self, leaf: &Ref, content: &[u8]) -> Result<bool> {
        let items = Items::new(content).collect::<Result<Vec<_>>>()?;
        leaf.check_leaf(&items)?;
        let mut whole = true;
        for (id, len) in items.iter().flat_map(|item| item.key.pieces().chain(item.value.pieces())) {
            match self.object(Kind::Blob, id, false, Some(1))? {
                Object::Spoilt => whole = false,
                Object::There(Some(content)) if content.len() != len => {
                    return Err(Error::damaged(format!("piece {id} has another length than its entry says")));
                }
                _ => {}
            }
        }
        Ok(whole)
    }

    /// Looks at an object, with which so many entries are lost; its bytes are read if they must be, or if the depth asks for
    /// them.
    fn object(&mut self, kind: Kind, id: Id, must_read: bool, entries: Option<u64>) -> Result<Object> {
        let new = self.seen.insert(kind, &id);
        match self.spoilt.get(&id) {
            None if !new => return Ok(Object::Known),
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
        match self.pack(place.pack)? {
            None => {
                let gone = Error::new(Code::NotFound, "the pack is gone");
                return self.elsewhere(kind, id, path, gone, entries);
            }
            Some(len) if len < u64::from(place.offset) + u64::from(place.len) => {
                let cut = Error::damaged(format!("the pack is cut off at {len} bytes"));
                return self.elsewhere(kind, id, path, cut, entries);
            }
            Some(_) => {}
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
            Err(e) if matches!(e.code, Code::Damaged | Code::NotFound | Code::NewerFormat) => {
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
            match self.object(kind, base, false, None)? {
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
            Some(place) => self.packs.contains_key(&place.pack) || self.pack(place.pack)?.is_some(),
        };
        if there || self.reloads == 0 {
            return Ok(found);
        }
        self.objects.reload()?;
        self.packs.retain(|_, len| len.is_some());
        let found = self.objects.find(id)?;
        let there = found.map_or(Ok(None), |place| self.pack(place.pack))?.is_some();
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
                    self.found.entry((file, what)).or_default();
                }
                Ok(Object::There(Some(content)))
            }
            Err(e) if matches!(e.code, Code::Damaged | Code::NotFound | Code::NewerFormat) => {
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

    /// How long a pack is; `None` if it is gone. What is wrong with its end is noted: the objects can be read all the
    /// same, but the index could not be made again from it.
    fn pack(&mut self, id: Id) -> Result<Option<u64>> {
        if let Some(known) = self.packs.get(&id) {
            return Ok(*known);
        }
        let path = pack::path(id);
        let len = match self.vault.len(&path) {
            Ok(len) => Some(len),
            Err(e) if e.code == Code::NotFound => None,
            Err(e) => return Err(e),
        };
        if len.is_some() {
            match pack::entries(self.vault, id) {
                Err(e) if e.code == Code::Damaged => {
                    self.found
                        .entry((path, "the pack's list of objects is not what was written".to_owned()))
                        .or_default();
                }
                Err(e) if e.code != Code::NotFound => return Err(e),
                _ => {}
            }
        }
        self.packs.insert(id, len);
        Ok(len)
    }

    fn note(&mut self, file: String, what: String, entries: Option<u64>) {
        let costs = self.found.entry((file, what)).or_default();
        costs.snapshots.insert(self.snapshot.clone());
        if !self.table.is_empty() {
            costs.tables.insert(self.table.clone());
            costs.entries = costs.entries.max(entries);
        }
    }
}
