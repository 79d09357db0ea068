//! Marks every object that some snapshot needs.
//!
//! What the newest snapshot of each source tracks for the next backup is marked too, as far as it is there.
//!
//! Leaves are not read, unless they have so many bytes that a key or a value of theirs may lie in pieces. What two
//! snapshots share is gone through once: a node whose mark says that it was opened has all below it marked.

use std::collections::{BTreeSet, HashSet};

use super::bits::Bits;
use super::listing::{Listings, Spot};
use super::plan::blame;
use crate::catalog;
use crate::error::{Code, Place, Result};
use crate::id::{Id, Kind};
use crate::objects::Objects;
use crate::progress::{Level, Progress};
use crate::snapshot::{self, Snapshot};
use crate::tracking;
use crate::tree::item::{Items, PIECE};
use crate::tree::node::{Ref, refs};
use crate::vault::Vault;

/// Damage is listed up to here; that there is more is only counted.
const DAMAGE_MAX: usize = 1000;
/// Progress is told after so many bytes.
const TELL: u64 = 1 << 20;

/// One bit for each entry of each listing.
pub(crate) struct Marks(Vec<Bits>);

impl Marks {
    pub(crate) fn new(listings: &Listings) -> Self {
        Self(listings.lengths().map(Bits::new).collect())
    }

    pub(crate) fn get(&self, spot: &Spot) -> bool {
        self.0[spot.listing].get(spot.at)
    }

    pub(crate) fn set(&mut self, spot: &Spot) {
        self.0[spot.listing].set(spot.at);
    }

    pub(crate) fn clear(&mut self, spot: &Spot) {
        self.0[spot.listing].clear(spot.at);
    }
}

/// What marking found.
pub(super) struct Marked {
    /// What some snapshot needs, at the first place that is listed for it.
    pub(super) needed: Marks,
    /// What is wrong, and which snapshots it was met in.
    pub(super) damage: Vec<(String, String)>,
    /// How much more is wrong.
    pub(super) more_damage: u64,
    /// Objects that were not what was written, with the packs where that was seen.
    pub(super) bad: HashSet<(Id, Id)>,
}

/// Marks what these snapshots need.
pub(super) fn mark(
    vault: &dyn Vault,
    snapshots: &[Snapshot],
    listings: &Listings,
    objects: &Objects<'_>,
    progress: &dyn Progress,
) -> Result<Marked> {
    let marked =
        Marked { needed: Marks::new(listings), damage: Vec::new(), more_damage: 0, bad: HashSet::new() };
    let opened = Marks::new(listings);
    let lost = BTreeSet::new();
    let recent = Recent::new();
    let mut marker = Marker {
        vault,
        listings,
        objects,
        progress,
        opened,
        marked,
        recent,
        snapshot: "",
        tracking: false,
        untold: 0,
        lost,
    };
    for snapshot in snapshots {
        marker.snapshot = &snapshot.name;
        super::advance(progress, "mark", std::mem::take(&mut marker.untold))?;
        for id in &snapshot.schema {
            marker.object(Kind::Schema, id, false)?;
        }
        if catalog::id(snapshot.root) != snapshot.id {
            marker.note("its id is not that of its tree".to_owned());
        }
        if let Some(root) = snapshot.root {
            marker.node(Kind::Catalog { level: root.level }, &root.node)?;
        }
    }
    marker.tracking = true;
    for tracking in snapshot::newest(snapshots).filter_map(|snapshot| snapshot.tracking.as_ref()) {
        marker.node(Kind::Tracking { level: tracking.root.level }, &tracking.root.node)?;
    }
    Ok(marker.marked)
}

struct Marker<'a, 'v> {
    vault: &'a dyn Vault,
    listings: &'a Listings,
    objects: &'a Objects<'v>,
    progress: &'a dyn Progress,
    /// What was read, and all below it marked.
    opened: Marks,
    marked: Marked,
    recent: Recent,
    snapshot: &'a str,
    /// What is missing now costs a scan, and nobody any data.
    tracking: bool,
    /// Bytes that were read since progress was last told.
    untold: u64,
    /// What is missing or damaged, so that it is looked for once.
    lost: BTreeSet<Id>,
}

impl Marker<'_, '_> {
    fn node(&mut self, kind: Kind, node: &Ref) -> Result<()> {
        // A leaf of so many bytes may have pieces, which only it names.
        let open = match kind {
            Kind::Node { level: 0 } => node.bytes > PIECE as u64,
            Kind::Baseline { level: 0 } => false,
            _ => true,
        };
        let Some((spot, content)) = self.object(kind, &node.id, open)? else { return Ok(()) };
        let below = match (kind, kind.below()) {
            (_, Some(below)) => self.below(below, node, &content),
            (Kind::Catalog { .. }, None) => self.tables(node, &content),
            (Kind::Tracking { .. }, None) => self.baselines(node, &content),
            _ => self.pieces(node, &content),
        };
        match below {
            Err(e) if e.code == Code::Damaged => self.note(format!("node {}: {e}", node.id)),
            below => below?,
        }
        self.opened.set(&spot);
        self.recent.put(&node.id, true);
        Ok(())
    }

    fn below(&mut self, kind: Kind, node: &Ref, content: &[u8]) -> Result<()> {
        node.check(refs(content)?.map(|below| (below.entries, below.bytes)))?;
        refs(content)?.try_for_each(|below| self.node(kind, &below))
    }

    fn tables(&mut self, leaf: &Ref, content: &[u8]) -> Result<()> {
        let items = Items::new(content).collect::<Result<Vec<_>>>()?;
        leaf.check_leaf(&items)?;
        for item in items {
            let table = catalog::table(&item)?;
            if let Some(root) = table.root {
                self.node(Kind::Node { level: root.level }, &root.node)
                    .place(format_args!("table {:?}", table.name))?;
            }
        }
        Ok(())
    }

    fn baselines(&mut self, leaf: &Ref, content: &[u8]) -> Result<()> {
        let items = Items::new(content).collect::<Result<Vec<_>>>()?;
        leaf.check_leaf(&items)?;
        for item in items {
            let (_, tracked) = tracking::tracked(&item)?;
            if let Some(root) = tracked.track.baseline.flatten() {
                self.node(Kind::Baseline { level: root.level }, &root.node)?;
            }
        }
        Ok(())
    }

    fn pieces(&mut self, leaf: &Ref, content: &[u8]) -> Result<()> {
        let items = Items::new(content).collect::<Result<Vec<_>>>()?;
        leaf.check_leaf(&items)?;
        for (id, _) in items.iter().flat_map(|item| item.key.pieces().chain(item.value.pieces())) {
            self.object(Kind::Blob, &id, false)?;
        }
        Ok(())
    }

    /// Marks an object and what it rests on. Gives back its content if what is below it is to be marked and was not yet.
    fn object(&mut self, kind: Kind, id: &Id, open: bool) -> Result<Option<(Spot, Vec<u8>)>> {
        if self.recent.has(id, open) {
            return Ok(None);
        }
        let Some(spot) = self.need(kind, id)? else { return Ok(None) };
        if !open || self.opened.get(&spot) {
            self.recent.put(id, open);
            return Ok(None);
        }
        let content = match self.objects.read_at(kind, *id, self.listings.location(&spot)) {
            Err(e) if matches!(e.code, Code::Damaged | Code::NotFound) => {
                match self.objects.read_elsewhere(kind, *id)? {
                    Some(content) => content,
                    None => {
                        blame(self.vault, self.listings, id, &mut self.marked.bad)?;
                        self.lose(id, e.message);
                        return Ok(None);
                    }
                }
            }
            read => read?,
        };
        self.untold += content.len() as u64;
        if self.untold >= TELL {
            super::advance(self.progress, "mark", std::mem::take(&mut self.untold))?;
        }
        Ok(Some((spot, content)))
    }

    /// Marks an object, at the place of it that counts, and what it rests on there.
    fn need(&mut self, kind: Kind, id: &Id) -> Result<Option<Spot>> {
        if self.lost.contains(id) {
            return Ok(None);
        }
        let mut spots = self.listings.find_all(id)?;
        if let Some(spot) = spots.iter().find(|spot| self.marked.needed.get(spot)) {
            return Ok(Some(*spot));
        }
        // Whatever rests on some place of this object may rest on the one where it rests on the fewest others itself.
        spots.sort_by_key(|spot| spot.entry.mark.depth());
        let Some(spot) = self.choose(kind, id, &spots)? else {
            self.lose(id, format!("object {id} is in no pack that is there"));
            return Ok(None);
        };
        let mark = spot.entry.mark;
        if !mark.is_whole() {
            let mut rests = false;
            for base in self.listings.find_bases(mark)? {
                let below = self.need(kind, &base)?;
                rests |= below.is_some_and(|below| mark.may_rest_on(&base, below.entry.mark));
            }
            if !rests {
                self.lose(id, format!("object {id} is a delta of another that is not there"));
                return Ok(None);
            }
        }
        self.marked.needed.set(&spot);
        Ok(Some(spot))
    }

    /// The first of these places that gives the object back. Of a place that others vie with, that is looked at.
    fn choose(&mut self, kind: Kind, id: &Id, spots: &[Spot]) -> Result<Option<Spot>> {
        let Some(first) = spots.first() else { return Ok(None) };
        if spots.iter().all(|spot| spot.pack == first.pack && spot.entry == first.entry) {
            return Ok(Some(*first));
        }
        let mut spoilt = Vec::new();
        for spot in spots {
            let place = self.listings.location(spot);
            match self.objects.read_at(kind, *id, place) {
                Ok(_) => {
                    self.marked.bad.extend(spoilt);
                    return Ok(Some(*spot));
                }
                Err(e) if matches!(e.code, Code::Damaged | Code::NotFound) => spoilt.push((*id, place.pack)),
                Err(e) => return Err(e),
            }
        }
        Ok(Some(*first))
    }

    fn lose(&mut self, id: &Id, what: String) {
        if self.lost.len() < DAMAGE_MAX {
            self.lost.insert(*id);
        }
        self.note(what);
    }

    fn note(&mut self, what: String) {
        if self.tracking {
            let message = format!("{what}; it is only tracking data, and the next backup scans instead");
            return self.progress.log(Level::Debug, &message);
        }
        if self.marked.damage.len() < DAMAGE_MAX {
            self.marked.damage.push((self.snapshot.to_owned(), what));
        } else {
            self.marked.more_damage += 1;
        }
    }
}

/// Ids that were marked lately: most of what a snapshot needs is what the one before it needs, and is found here without
/// a look into the index. An id has one place, where another may follow it, so this never grows.
struct Recent(Vec<Option<(Id, bool)>>);

impl Recent {
    /// 9 MiB.
    const PLACES: usize = 1 << 18;

    fn new() -> Self {
        Self(vec![None; Self::PLACES])
    }

    fn place(id: &Id) -> usize {
        (id.prefix() as usize) % Self::PLACES
    }

    /// Whether this id is marked; with `opened`, also all that is below it.
    fn has(&self, id: &Id, opened: bool) -> bool {
        self.0[Self::place(id)].is_some_and(|(of, open)| of == *id && (open || !opened))
    }

    fn put(&mut self, id: &Id, opened: bool) {
        let place = &mut self.0[Self::place(id)];
        let before = place.is_some_and(|(of, open)| of == *id && open);
        *place = Some((*id, opened || before));
    }
}
