//! What the disk holds: as readers see it, as it would be without power, and what lies between.

use std::collections::BTreeMap;
use std::sync::Arc;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::fault::Faults;
use super::not_found;
use super::room::Room;
use super::turns::Turns;
use super::unreadable::Unreadable;
use crate::error::{Code, Error, Result};

/// The number of the directory itself among the nodes.
pub(super) const ROOT: usize = 0;

#[derive(Clone)]
pub(super) struct State {
    nodes: Vec<Node>,
    pub(super) faults: Faults,
    pub(super) unreadable: BTreeMap<String, Unreadable>,
    /// Changes that were tried to it.
    pub(super) touched: Vec<String>,
    pub(super) turns: Option<Turns>,
    pub(super) room: Room,
}

#[derive(Clone)]
pub(super) enum Node {
    File(File),
    Dir(Dir),
}

#[derive(Clone, Default)]
pub(super) struct File {
    pub(super) seen: Arc<Vec<u8>>,
    pub(super) durable: Arc<Vec<u8>>,
    /// Written since the last sync: where, and what.
    pub(super) pending: Vec<(u64, Arc<[u8]>)>,
}

#[derive(Clone, Default)]
pub(super) struct Dir {
    pub(super) seen: BTreeMap<String, usize>,
    pub(super) durable: BTreeMap<String, usize>,
    pub(super) pending: Vec<Change>,
}

/// A change of names.
#[derive(Clone)]
pub(super) enum Change {
    Link(String, usize),
    Unlink(String),
    Rename { from: String, to: String, node: usize },
}

impl Default for State {
    fn default() -> Self {
        Self {
            nodes: vec![Node::Dir(Dir::default())],
            faults: Faults::default(),
            unreadable: BTreeMap::new(),
            touched: Vec::new(),
            turns: None,
            room: Room::default(),
        }
    }
}

impl Change {
    /// Carries it out; `both`: of a rename, the old name stays too.
    pub(super) fn apply(&self, names: &mut BTreeMap<String, usize>, both: bool) {
        match self {
            Change::Link(name, node) => drop(names.insert(name.clone(), *node)),
            Change::Unlink(name) => drop(names.remove(name)),
            Change::Rename { from, to, node } => {
                names.insert(to.clone(), *node);
                if !both {
                    names.remove(from);
                }
            }
        }
    }
}

impl Dir {
    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable, false);
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.seen, false);
        self.pending.push(change);
    }
}

/// Puts bytes at a place, with zeros before it where nothing was.
pub(super) fn overlay(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

impl File {
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        overlay(Arc::make_mut(&mut self.seen), offset as usize, bytes);
        self.pending.push((offset, bytes.into()));
    }

    pub(super) fn sync(&mut self, lost: bool) {
        for (offset, bytes) in self.pending.drain(..) {
            if !lost {
                overlay(Arc::make_mut(&mut self.durable), offset as usize, &bytes);
            }
        }
    }
}

impl State {
    pub(super) fn node(&self, node: usize) -> &Node {
        &self.nodes[node]
    }

    pub(super) fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    pub(super) fn file(&self, node: usize) -> &File {
        match &self.nodes[node] {
            Node::File(file) => file,
            Node::Dir(_) => unreachable!("paths of files lead to files"),
        }
    }

    pub(super) fn file_mut(&mut self, node: usize) -> &mut File {
        match &mut self.nodes[node] {
            Node::File(file) => file,
            Node::Dir(_) => unreachable!("paths of files lead to files"),
        }
    }

    pub(super) fn dir(&self, node: usize) -> &Dir {
        match &self.nodes[node] {
            Node::Dir(dir) => dir,
            Node::File(_) => unreachable!("paths of folders lead to folders"),
        }
    }

    pub(super) fn dir_mut(&mut self, node: usize) -> &mut Dir {
        match &mut self.nodes[node] {
            Node::Dir(dir) => dir,
            Node::File(_) => unreachable!("paths of folders lead to folders"),
        }
    }

    /// The folder of this name.
    pub(super) fn dir_at(&self, name: &str) -> Result<usize> {
        let node = self.dir(ROOT).seen.get(name).copied().ok_or_else(|| not_found(name))?;
        match self.nodes[node] {
            Node::Dir(_) => Ok(node),
            Node::File(_) => Err(Error::new(Code::Io, format!("{name} is no folder"))),
        }
    }

    /// The folder that a path is in, and its name there.
    fn place<'p>(&self, path: &'p str) -> Result<(usize, &'p str)> {
        match path.split_once('/') {
            None => Ok((ROOT, path)),
            Some((dir, name)) => Ok((self.dir_at(dir)?, name)),
        }
    }

    pub(super) fn file_at(&self, path: &str) -> Result<usize> {
        let (dir, name) = self.place(path)?;
        let node = self.dir(dir).seen.get(name).copied().ok_or_else(|| not_found(path))?;
        match self.nodes[node] {
            Node::File(_) => Ok(node),
            Node::Dir(_) => Err(Error::new(Code::Io, format!("{path} is a folder"))),
        }
    }

    pub(super) fn create(&mut self, path: &str) -> Result<usize> {
        let (dir, name) = self.place(path)?;
        if self.dir(dir).seen.contains_key(name) {
            return Err(Error::new(Code::Exists, format!("{path} is there already")));
        }
        self.room_for_a_file(path)?;
        let node = self.add(Node::File(File::default()));
        self.dir_mut(dir).change(Change::Link(name.to_owned(), node));
        Ok(node)
    }

    pub(super) fn make_dir(&mut self, path: &str) -> Result<()> {
        if self.dir_at(path).is_err() {
            let node = self.add(Node::Dir(Dir::default()));
            self.dir_mut(ROOT).change(Change::Link(path.to_owned(), node));
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        let node = self.file_at(from)?;
        let ((dir, old), (same, new)) = (self.place(from)?, self.place(to)?);
        assert_eq!(dir, same, "a rename from one folder to another is not modelled");
        self.dir_mut(dir).change(Change::Rename { from: old.to_owned(), to: new.to_owned(), node });
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &str) -> Result<()> {
        self.file_at(path)?;
        let (dir, name) = self.place(path)?;
        self.dir_mut(dir).change(Change::Unlink(name.to_owned()));
        Ok(())
    }

    pub(super) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        for (name, node) in &self.dir(ROOT).seen {
            match self.node(*node) {
                Node::File(file) => files.push((name.clone(), file.seen.to_vec())),
                Node::Dir(dir) => files.extend(
                    dir.seen
                        .iter()
                        .map(|(file, node)| (format!("{name}/{file}"), self.file(*node).seen.to_vec())),
                ),
            }
        }
        files
    }

    pub(super) fn fingerprint(&self) -> u64 {
        let mut hash = Xxh3::new();
        self.hash_dir(ROOT, &mut hash);
        hash.digest()
    }

    fn hash_dir(&self, dir: usize, hash: &mut Xxh3) {
        let dir = self.dir(dir);
        for names in [&dir.seen, &dir.durable] {
            hash.update(&(names.len() as u64).to_le_bytes());
            for (name, node) in names {
                hash.update(name.as_bytes());
                hash.update(&[0]);
                match self.node(*node) {
                    Node::Dir(_) => self.hash_dir(*node, hash),
                    Node::File(file) => {
                        for content in [&file.seen, &file.durable] {
                            hash.update(&xxh3_64(content).to_le_bytes());
                        }
                        hash.update(&(file.pending.len() as u64).to_le_bytes());
                    }
                }
            }
        }
    }

    pub(super) fn put(&mut self, path: &str, content: Vec<u8>) {
        let _ = self.remove(path);
        let node = self.create(path).expect("the folder of a file that a test puts there is there");
        self.file_mut(node).write(0, &content);
        self.settle();
    }

    pub(super) fn take(&mut self, path: &str) {
        self.remove(path).expect("a file that a test takes away is there");
        self.settle();
    }

    pub(super) fn settle(&mut self) {
        for node in &mut self.nodes {
            match node {
                Node::File(file) => file.sync(false),
                Node::Dir(dir) => dir.sync(),
            }
        }
    }
}
