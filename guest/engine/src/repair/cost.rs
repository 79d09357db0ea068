//! What is lost, and what that costs: every snapshot is gone through from above, as far as it can be read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::look::Found;
use super::places::Places;
use super::{Lost, advance};
use crate::catalog;
use crate::error::{Code, Result};
use crate::id::{Id, Kind};
use crate::pack;
use crate::progress::Progress;
use crate::snapshot::{self, Snapshot};
use crate::tracking;
use crate::tree::item::{Items, PIECE};
use crate::tree::node::{Ref, Sums, refs};
use crate::verify::{Claim, Seen, Sight};

/// Lost objects that are listed; of the others it is only said how many they are, at least.
const LOST_MAX: usize = 10_000;
/// Names of snapshots and tables that are listed with them, all together.
const NAMES_MAX: usize = 1 << 20;

/// What is lost.
#[derive(Default)]
pub(super) struct Cost {
    pub(super) lost: BTreeMap<Id, Loss>,
    pub(super) more: u64,
    /// Snapshots, by number, that are not whole.
    pub(super) hurt: BTreeSet<usize>,
    /// What the next backups want to know and do not find: it costs them a scan, and nobody any data.
    tracking: BTreeSet<Id>,
}

pub(super) struct Loss {
    what: &'static str,
    entries: Option<u64>,
    snapshots: BTreeSet<usize>,
    tables: BTreeSet<Rc<str>>,
}

/// Looks what these snapshots lack.
pub(super) fn of(snapshots: &[Snapshot], places: &Places<'_>, progress: &dyn Progress) -> Result<Cost> {
    let mut walk = Walk {
        places,
        progress,
        snapshot: 0,
        table: None,
        tracking: false,
        turn: 0,
        seen: Seen::default(),
        spoilt: HashMap::new(),
        names: 0,
        cost: Cost::default(),
    };
    for (number, snapshot) in snapshots.iter().enumerate() {
        (walk.snapshot, walk.table, walk.turn) = (number, None, walk.turn + 1);
        advance(progress, 0)?;
        for id in &snapshot.schema {
            let claim = Claim::of_kind(Kind::Schema);
            walk.object(Kind::Schema, id, claim, false, "piece of the schema", None)?;
        }
        if catalog::id(snapshot.root) != snapshot.id {
            walk.lose(&snapshot.id, "list of tables", None);
        }
        if let Some(root) = snapshot.root {
            walk.node(Kind::Catalog { level: root.level }, &root.node)?;
        }
    }
    (walk.table, walk.tracking) = (None, true);
    for tracking in snapshot::newest(snapshots).filter_map(|snapshot| snapshot.tracking.as_ref()) {
        walk.turn += 1;
        advance(progress, 0)?;
        walk.node(Kind::Tracking { level: tracking.root.level }, &tracking.root.node)?;
    }
    Ok(walk.cost)
}

impl Cost {
    /// Whether nothing is lost at all.
    pub(super) fn is_nothing(&self) -> bool {
        self.lost.is_empty() && self.tracking.is_empty()
    }

    /// Whether the same is lost.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.more == other.more && self.tracking == other.tracking && self.lost.keys().eq(other.lost.keys())
    }

    /// In words, with names.
    pub(super) fn list(
        self,
        snapshots: &[Snapshot],
        places: &Places<'_>,
        found: &Found,
    ) -> Result<Vec<Lost>> {
        // Of several packs always the same one, whatever the order of the set: a dry run says what the run then says.
        let mut seen: HashMap<Id, Id> = HashMap::new();
        for (id, pack) in found.bad.iter().filter(|(id, _)| self.lost.contains_key(id)) {
            seen.entry(*id).and_modify(|least| *least = (*least).min(*pack)).or_insert(*pack);
        }
        // They come oldest first.
        let newest: HashMap<&str, usize> = snapshots
            .iter()
            .enumerate()
            .map(|(number, snapshot)| (snapshot.source.as_str(), number))
            .collect();
        let newest: HashSet<usize> = newest.into_values().collect();
        let lost = self.lost.into_iter().map(|(id, loss)| {
            let newest = loss.snapshots.iter().filter(|number| newest.contains(number));
            let mut heals: Vec<String> = newest.map(|number| snapshots[*number].source.clone()).collect();
            heals.sort_unstable();
            Ok(Lost {
                object: id.hex(),
                what: loss.what.to_owned(),
                file: match seen.get(&id) {
                    Some(pack) => pack::path(*pack),
                    None => places.said(&id)?.unwrap_or_default(),
                },
                snapshots: loss.snapshots.iter().map(|number| snapshots[*number].name.clone()).collect(),
                tables: loss.tables.iter().map(ToString::to_string).collect(),
                entries: loss.entries,
                heals,
            })
        });
        lost.collect()
    }
}

struct Walk<'w, 'a> {
    places: &'w Places<'a>,
    progress: &'w dyn Progress,
    snapshot: usize,
    table: Option<Rc<str>>,
    /// What is missing now costs a scan, and nobody any data.
    tracking: bool,
    /// Which table of which snapshot this is, counted through.
    turn: u64,
    seen: Seen,
    /// What is lost, or above something lost: gone through again for every table of every snapshot that has it.
    spoilt: HashMap<Id, u64>,
    names: usize,
    cost: Cost,
}

/// What an object turned out to be.
enum Object {
    Lost,
    /// It is there, and all below it was looked at if it is not spoilt.
    Known,
    Read(Vec<u8>),
}

impl Walk<'_, '_> {
    /// Looks at a node and at what is below it; `true` if all of that is there.
    fn node(&mut self, kind: Kind, node: &Ref) -> Result<bool> {
        // A leaf of so many bytes may have pieces, which only it names.
        let open = match kind {
            Kind::Node { level: 0 } => node.bytes > PIECE as u64,
            Kind::Baseline { level: 0 } => false,
            _ => true,
        };
        let (what, entries) = match kind {
            Kind::Catalog { .. } => ("list of tables", None),
            Kind::Tracking { .. } | Kind::Baseline { .. } => ("tracking data", None),
            Kind::Node { level: 0 } => ("leaf", Some(node.entries)),
            _ => ("node", Some(node.entries)),
        };
        let claim = Claim::of_node(kind, node);
        let content = match self.object(kind, &node.id, claim, open, what, entries)? {
            Object::Lost => return Ok(false),
            Object::Known => return Ok(true),
            Object::Read(content) => content,
        };
        let looked = match (kind, kind.below()) {
            (_, Some(below)) => self.below(below, &content),
            (Kind::Catalog { .. }, None) => self.tables(&content),
            (Kind::Tracking { .. }, None) => self.baselines(&content),
            _ => self.pieces(&content),
        };
        let (sums, mut whole) = match looked {
            // It is what was written, and that makes no sense.
            Err(e) if e.code == Code::Damaged => (None, false),
            looked => looked?,
        };
        if whole {
            self.spoilt.remove(&node.id);
        } else {
            self.spoilt.insert(node.id, self.turn);
        }
        let truth = sums.map_or(Claim::NONE, |sums| Claim::new(kind, sums));
        self.seen.was_read(kind, &node.id, truth);
        if truth != claim {
            self.lose(&node.id, what, entries);
            whole = false;
        }
        Ok(whole)
    }

    /// What a node holds, and whether all below it is there; so do the next three.
    fn below(&mut self, kind: Kind, content: &[u8]) -> Result<(Option<Sums>, bool)> {
        let below: Vec<Ref> = refs(content)?.collect();
        let mut whole = true;
        for node in &below {
            whole &= self.node(kind, node)?;
        }
        Ok((Sums::of_nodes(&below), whole))
    }

    fn tables(&mut self, content: &[u8]) -> Result<(Option<Sums>, bool)> {
        let items = Items::new(content).collect::<Result<Vec<_>>>()?;
        let mut whole = true;
        for item in &items {
            let table = catalog::table(item)?;
            (self.table, self.turn) = (Some(table.name.into()), self.turn + 1);
            if let Some(root) = table.root {
                whole &= self.node(Kind::Node { level: root.level }, &root.node)?;
            }
            self.table = None;
        }
        Ok((Sums::of_items(&items), whole))
    }

    fn baselines(&mut self, content: &[u8]) -> Result<(Option<Sums>, bool)> {
        let items = Items::new(content).collect::<Result<Vec<_>>>()?;
        let mut whole = true;
        for item in &items {
            let (_, tracked) = tracking::tracked(item)?;
            if let Some(root) = tracked.track.baseline.flatten() {
                whole &= self.node(Kind::Baseline { level: root.level }, &root.node)?;
            }
        }
        Ok((Sums::of_items(&items), whole))
    }

    fn pieces(&mut self, content: &[u8]) -> Result<(Option<Sums>, bool)> {
        let items = Items::new(content).collect::<Result<Vec<_>>>()?;
        let mut whole = true;
        for (id, len) in items.iter().flat_map(|item| item.key.pieces().chain(item.value.pieces())) {
            const PIECE: &str = "piece of a large key or value";
            match self.object(Kind::Blob, &id, Claim::of_piece(len), false, PIECE, Some(1))? {
                Object::Lost => whole = false,
                Object::Known => {}
                Object::Read(content) => {
                    self.seen.was_read(Kind::Blob, &id, Claim::of_piece(content.len()));
                    if content.len() != len {
                        self.lose(&id, PIECE, Some(1));
                        whole = false;
                    }
                }
            }
        }
        Ok((Sums::of_items(&items), whole))
    }

    /// Looks at an object; it is read if what is below it has to be known.
    fn object(
        &mut self,
        kind: Kind,
        id: &Id,
        claim: Claim,
        open: bool,
        what: &'static str,
        entries: Option<u64>,
    ) -> Result<Object> {
        let sight = self.seen.look(kind, id, Some(claim));
        let open = open || sight == Sight::Doubtful;
        match self.spoilt.get(id) {
            _ if sight == Sight::Lie => {
                self.lose(id, what, entries);
                return Ok(Object::Lost);
            }
            None if sight == Sight::Known => return Ok(Object::Known),
            // All that it costs this table is noted.
            Some(when) if *when == self.turn => return Ok(Object::Lost),
            _ => {}
        }
        let content =
            if open { self.places.read(kind, id)? } else { self.places.has(kind, id)?.then(Vec::new) };
        match content {
            Some(content) if open => {
                advance(self.progress, content.len() as u64)?;
                Ok(Object::Read(content))
            }
            Some(_) => Ok(Object::Known),
            None => {
                self.spoilt.insert(*id, self.turn);
                self.lose(id, what, entries);
                Ok(Object::Lost)
            }
        }
    }

    fn lose(&mut self, id: &Id, what: &'static str, entries: Option<u64>) {
        if self.tracking {
            if self.cost.tracking.len() < LOST_MAX {
                self.cost.tracking.insert(*id);
            }
            return;
        }
        self.cost.hurt.insert(self.snapshot);
        if !self.cost.lost.contains_key(id) && self.cost.lost.len() >= LOST_MAX {
            self.cost.more += 1;
            return;
        }
        let new = || Loss { what, entries, snapshots: BTreeSet::new(), tables: BTreeSet::new() };
        let loss = self.cost.lost.entry(*id).or_insert_with(new);
        if self.names < NAMES_MAX {
            self.names += usize::from(loss.snapshots.insert(self.snapshot));
            self.names += self.table.iter().filter(|table| loss.tables.insert(Rc::clone(table))).count();
        }
    }
}
