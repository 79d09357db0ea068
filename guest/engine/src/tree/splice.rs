//! Changes a tree without going through it.
//!
//! A change of a sequence is what stays of it, what goes, and what comes, in order, counted in entries of the old
//! sequence. On every level a node that stays is passed on unread. Where something goes or comes, the node there is
//! opened and its items cut anew, and the next node's too, until a cut falls on the end of an old node: from there on the
//! cuts are the old ones, because a cut depends on nothing that stands before the cut before it. What that makes of the
//! nodes is a change of the sequence one level up. So the root is the one that a scan of the new sequence gives.

use std::rc::Rc;

use super::Put;
use super::node::{Ref, Root};
use super::old::{OldNode, OldTree, Piece};
use super::rank::CEILING;
use super::spine::Spine;
use crate::bytes::Cursor;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::object::equal;

/// A change that is carried out while it is told.
pub(crate) struct Splice<'a> {
    pub(crate) old: OldTree<'a>,
    levels: Vec<Level>,
    /// Above the old root.
    top: Spine,
}

/// The sequence of items of one level.
#[derive(Default)]
struct Level {
    /// Old entries that were dealt with, and of how many of them the level above was told.
    at: u64,
    told: u64,
    /// Neither an old node nor a new one is open: what lies between `told` and `at` stays.
    apart: bool,
    /// The old node at hand, and its next item.
    node: Option<(Rc<OldNode>, usize)>,
    /// Old nodes from `told` on that were opened.
    opened: Vec<Ref>,
    open: Open,
    /// The node with a single item that was made last, and that item.
    single: Option<(Id, Ref)>,
}

/// The new node at hand.
#[derive(Default)]
struct Open {
    content: Vec<u8>,
    items: u32,
    entries: u64,
    bytes: u64,
    rank: u8,
    /// The old node that most of it comes from, and how many bytes; the same for the one at hand.
    most: Option<(Rc<OldNode>, usize)>,
    from: Option<(Rc<OldNode>, usize)>,
}

impl Open {
    fn push(&mut self, piece: &Piece<'_>, from: Option<&Rc<OldNode>>) {
        self.content.extend_from_slice(piece.raw);
        self.items += 1;
        self.entries += piece.entries;
        self.bytes += piece.bytes;
        self.rank = piece.rank;
        let Some(node) = from else { return };
        match &mut self.from {
            Some((last, bytes)) if Rc::ptr_eq(last, node) => *bytes += piece.raw.len(),
            _ => {
                self.settle();
                self.from = Some((Rc::clone(node), piece.raw.len()));
            }
        }
    }

    fn settle(&mut self) {
        let from = self.from.take();
        if from.as_ref().map_or(0, |(_, bytes)| *bytes) > self.most.as_ref().map_or(0, |(_, bytes)| *bytes) {
            self.most = from;
        }
    }
}

impl<'a> Splice<'a> {
    pub(crate) fn new(old: OldTree<'a>) -> Self {
        let root = old.root().map_or(0, |root| root.level);
        let level = |_| Level { apart: true, ..Level::default() };
        Self { levels: (0..=root).map(level).collect(), top: Spine::above(old.tree(), root), old }
    }

    /// The next so many entries stay.
    pub(crate) fn keep(&mut self, entries: u64, out: &mut dyn Put) -> Result<()> {
        self.keep_at(0, entries, out)
    }

    /// The next so many entries go.
    pub(crate) fn skip(&mut self, entries: u64, out: &mut dyn Put) -> Result<()> {
        self.skip_at(0, entries, out)
    }

    /// An entry comes here.
    pub(crate) fn insert(&mut self, entry: &Piece<'_>, out: &mut dyn Put) -> Result<()> {
        self.insert_at(0, entry, out)
    }

    /// All old entries were dealt with: the new tree.
    pub(crate) fn finish(mut self, out: &mut dyn Put) -> Result<Option<Root>> {
        for k in 0..self.levels.len() {
            if !self.levels[k].apart {
                if self.levels[k].open.items > 0 {
                    self.close(k, out)?;
                }
                self.let_go(k, out)?;
            }
            let stays = self.levels[k].at - self.levels[k].told;
            self.tell_keep(k, stays, out)?;
        }
        let Some(mut root) = self.top.finish(out)? else { return Ok(None) };
        // The root is the only node of the first level that has just one.
        while root.level > 0 && root.node.items == 1 {
            let made = self.levels.get(usize::from(root.level)).and_then(|level| level.single);
            let node = match made.filter(|(id, _)| *id == root.node.id) {
                Some((_, child)) => child,
                None => self.old.only_child(root.level, &root.node)?,
            };
            root = Root { level: root.level - 1, node };
        }
        Ok(Some(root))
    }

    fn keep_at(&mut self, k: usize, mut entries: u64, out: &mut dyn Put) -> Result<()> {
        self.check(k, entries)?;
        while entries > 0 {
            let level = &self.levels[k];
            if level.open.items == 0 && level.node.is_none() {
                self.let_go(k, out)?;
                self.levels[k].at += entries;
                return Ok(());
            }
            let (node, item) = self.at_hand(k)?;
            let piece = node.piece(item);
            if piece.entries > entries {
                return Err(Error::damaged("a change ends within a node"));
            }
            entries -= piece.entries;
            self.pass(k, piece.entries);
            self.push(k, &piece, Some(&node), out)?;
        }
        Ok(())
    }

    fn skip_at(&mut self, k: usize, mut entries: u64, out: &mut dyn Put) -> Result<()> {
        self.check(k, entries)?;
        self.engage(k, out)?;
        while entries > 0 {
            if self.levels[k].node.is_none() {
                entries -= self.skip_nodes(k, entries, out)?;
                if entries == 0 {
                    break;
                }
            }
            let (node, item) = self.at_hand(k)?;
            let piece = node.piece(item);
            if piece.entries > entries {
                return Err(Error::damaged("a change ends within a node"));
            }
            entries -= piece.entries;
            self.pass(k, piece.entries);
        }
        Ok(())
    }

    /// Whole nodes that go, unread; says how many entries they have.
    fn skip_nodes(&mut self, k: usize, entries: u64, out: &mut dyn Put) -> Result<u64> {
        let (at, end) = (self.levels[k].at, self.levels[k].at + entries);
        let to = if end == self.old.entries() { end } else { self.old.find(k as u8, end)?.0 };
        if to <= at {
            return Ok(0);
        }
        self.tell_opened(k, out)?;
        self.tell_skip(k, to - at, out)?;
        self.levels[k].at = to;
        Ok(to - at)
    }

    fn insert_at(&mut self, k: usize, piece: &Piece<'_>, out: &mut dyn Put) -> Result<()> {
        self.engage(k, out)?;
        self.push(k, piece, None, out)
    }

    /// Nothing goes beyond the end.
    fn check(&self, k: usize, entries: u64) -> Result<()> {
        match self.levels[k].at.checked_add(entries).filter(|end| *end <= self.old.entries()) {
            Some(_) => Ok(()),
            None => Err(Error::invalid("a change goes beyond the end")),
        }
    }

    /// Something happens here: what stands before it in its node is cut with it.
    fn engage(&mut self, k: usize, out: &mut dyn Put) -> Result<()> {
        if !self.levels[k].apart {
            return Ok(());
        }
        self.levels[k].apart = false;
        let (at, told, total) = (self.levels[k].at, self.levels[k].told, self.old.entries());
        if total == 0 {
            return Ok(());
        }
        // Behind the last entry something comes: the last node may be one that nothing but the end has ended.
        let (start, node) = self.old.find(k as u8, at.min(total - 1))?;
        self.tell_keep(k, start - told, out)?;
        if start == at {
            return Ok(());
        }
        let node = self.old.node(k as u8, start, node)?;
        let items = if at == node.end() { node.len() } else { node.item_of(at) };
        if node.entry_of(items) != at {
            return Err(Error::damaged("a change begins within a node"));
        }
        self.levels[k].opened.push(node.node);
        self.levels[k].node = Some((Rc::clone(&node), items)).filter(|_| items < node.len());
        for item in 0..items {
            self.push(k, &node.piece(item), Some(&node), out)?;
        }
        Ok(())
    }

    /// The old node at hand, and its next item; opens the next node if there is none.
    fn at_hand(&mut self, k: usize) -> Result<(Rc<OldNode>, usize)> {
        if let Some((node, item)) = &self.levels[k].node {
            return Ok((Rc::clone(node), *item));
        }
        let at = self.levels[k].at;
        let (start, node) = self.old.find(k as u8, at)?;
        if start != at {
            return Err(Error::damaged("a node does not begin where the one before it ends"));
        }
        let node = self.old.node(k as u8, start, node)?;
        self.levels[k].opened.push(node.node);
        self.levels[k].node = Some((Rc::clone(&node), 0));
        Ok((node, 0))
    }

    /// The next item of the old node at hand was dealt with.
    fn pass(&mut self, k: usize, entries: u64) {
        let level = &mut self.levels[k];
        level.at += entries;
        level.node = level.node.take().map(|(node, item)| (node, item + 1));
        level.node = level.node.take().filter(|(node, item)| *item < node.len());
    }

    fn push(
        &mut self,
        k: usize,
        piece: &Piece<'_>,
        from: Option<&Rc<OldNode>>,
        out: &mut dyn Put,
    ) -> Result<()> {
        let open = &mut self.levels[k].open;
        open.push(piece, from);
        if usize::from(piece.rank) > k || open.content.len() >= CEILING {
            self.close(k, out)?;
        }
        Ok(())
    }

    /// The new node at hand has ended.
    fn close(&mut self, k: usize, out: &mut dyn Put) -> Result<()> {
        let kind = self.old.tree().kind(k as u8);
        let level = &mut self.levels[k];
        level.open.settle();
        let mut open = std::mem::take(&mut level.open);
        let base = open.most.take().map(|(node, _)| node);
        let id = match &base {
            Some(node) if equal(&node.base.content, &open.content) => node.node.id,
            Some(node) => out.put_with_base(kind, &open.content, &node.base)?,
            None => out.put(kind, &open.content)?,
        };
        let Open { items, entries, bytes, rank, .. } = open;
        let node = Ref { id, items, entries, bytes, rank };
        if k > 0 && items == 1 {
            level.single = Ref::decode(&mut Cursor(&open.content)).map(|child| (id, child));
        }
        open.content.clear();
        level.open.content = open.content;
        if let Some(same) = level.opened.iter().position(|old| *old == node) {
            let before: u64 = level.opened.drain(..=same).take(same).map(|old| old.entries).sum();
            self.tell_skip(k, before, out)?;
            return self.tell_keep(k, entries, out);
        }
        if k + 1 == self.levels.len() {
            return self.top.leaf(node, out);
        }
        let mut raw = Vec::with_capacity(Ref::LEN);
        node.encode(&mut raw);
        self.insert_at(k + 1, &Piece { raw: &raw, entries, bytes, rank }, out)
    }

    /// The cuts are the old ones again.
    fn let_go(&mut self, k: usize, out: &mut dyn Put) -> Result<()> {
        if !self.levels[k].apart {
            self.tell_opened(k, out)?;
            self.levels[k].apart = true;
        }
        Ok(())
    }

    /// Old nodes that were opened and have no equal among the new ones go.
    fn tell_opened(&mut self, k: usize, out: &mut dyn Put) -> Result<()> {
        let opened: u64 = self.levels[k].opened.drain(..).map(|old| old.entries).sum();
        self.tell_skip(k, opened, out)
    }

    fn tell_keep(&mut self, k: usize, entries: u64, out: &mut dyn Put) -> Result<()> {
        self.levels[k].told += entries;
        match self.old.root() {
            _ if entries == 0 => Ok(()),
            Some(root) if k + 1 == self.levels.len() => self.top.leaf(root.node, out),
            _ => self.keep_at(k + 1, entries, out),
        }
    }

    fn tell_skip(&mut self, k: usize, entries: u64, out: &mut dyn Put) -> Result<()> {
        self.levels[k].told += entries;
        if entries == 0 || k + 1 == self.levels.len() { Ok(()) } else { self.skip_at(k + 1, entries, out) }
    }
}
