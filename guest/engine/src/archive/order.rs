//! The order of the objects in an archive.

use crate::catalog::{self, SCHEMA_MAX, Schema, Table};
use crate::error::{Error, Result};
use crate::id::{Id, Kind};
use crate::snapshot::Snapshot;
use crate::tree::item::Items;
use crate::tree::node::{Ref, refs};

/// An object that must come next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) kind: Kind,
    pub(crate) id: Id,
    said: Said,
}

impl Wanted {
    /// How many entries it holds, if it is a leaf of a table.
    pub(crate) fn entries(&self) -> u64 {
        match (self.kind, self.said) {
            (Kind::Node { level: 0 }, Said::Node(node)) => node.entries,
            _ => 0,
        }
    }
}

/// What is said of an object by what names it.
#[derive(Debug, Clone, Copy)]
enum Said {
    Node(Ref),
    /// How many bytes it has.
    Piece(usize),
    Nothing,
}

/// What comes next.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// All tables are known, by [`Order::tables`] and [`Order::template`].
    Tables,
    /// The objects of this table follow.
    Begin(usize),
    Object(Wanted),
    /// All of this table was there.
    End(usize),
    /// All was there.
    Over,
}

/// Leads through a snapshot: the schema, the tree of tables, then the tree of each table, a node before what lies below
/// it, and the pieces of a leaf behind it. What each object must be follows from those before it, and is checked.
pub(crate) struct Order {
    snapshot: Snapshot,
    /// What is still to come, the next one last.
    todo: Vec<Step>,
    schema: Vec<u8>,
    tables: Vec<Table>,
    /// The table at hand.
    table: Option<usize>,
}

impl Order {
    pub(crate) fn new(snapshot: Snapshot) -> Result<Self> {
        if catalog::id(snapshot.root) != snapshot.id {
            return Err(Error::damaged("the id of the snapshot is not that of its tables"));
        }
        let mut todo = vec![Step::Tables];
        todo.extend(snapshot.root.map(|root| node(Kind::Catalog { level: root.level }, root.node)));
        let piece = |id: &Id| Step::Object(Wanted { kind: Kind::Schema, id: *id, said: Said::Nothing });
        todo.extend(snapshot.schema.iter().rev().map(piece));
        Ok(Self { snapshot, todo, schema: Vec::new(), tables: Vec::new(), table: None })
    }

    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The tables, once they are known, sorted by name.
    pub(crate) fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// What the store needs to make the tables again, once they are known.
    pub(crate) fn template(&self) -> &[u8] {
        &self.schema
    }

    /// Where this is, for people.
    pub(crate) fn place(&self) -> String {
        match self.table {
            Some(table) => format!("table {:?}", self.tables[table].name),
            None => "the list of tables".to_owned(),
        }
    }

    /// The next step. An object stays the next one until its content is known.
    pub(crate) fn next(&mut self) -> Result<Step> {
        let Some(step) = self.todo.last().copied() else { return Ok(Step::Over) };
        if !matches!(step, Step::Object(_)) {
            self.todo.pop();
        }
        match step {
            Step::Tables => self.list()?,
            Step::Begin(table) => self.table = Some(table),
            Step::End(_) => self.table = None,
            Step::Object(_) | Step::Over => {}
        }
        Ok(step)
    }

    /// The tables are all known: their trees come next.
    fn list(&mut self) -> Result<()> {
        let sum = |of: fn(&Table) -> u64| self.tables.iter().try_fold(0u64, |sum, t| sum.checked_add(of(t)));
        let counted = (self.tables.len() as u64, sum(|t| t.entries), sum(|t| t.bytes));
        let said = (u64::from(self.snapshot.tables), Some(self.snapshot.entries), Some(self.snapshot.bytes));
        if counted != said {
            return Err(Error::damaged("the tables do not hold what the snapshot says of them"));
        }
        let schema = Schema::decode(&self.schema, self.tables.len());
        let schema = schema.ok_or_else(|| Error::damaged("the schema is not that of the tables"))?;
        self.schema = schema.template;
        for (table, (key, value)) in self.tables.iter_mut().zip(schema.types) {
            (table.key_type, table.value_type) = (key, value);
        }
        for (number, table) in self.tables.iter().enumerate().rev() {
            self.todo.push(Step::End(number));
            self.todo.extend(table.root.map(|root| node(Kind::Node { level: root.level }, root.node)));
            self.todo.push(Step::Begin(number));
        }
        Ok(())
    }

    /// The content of the next object is this: checks that it is what was said, and finds out what follows.
    pub(crate) fn opened(&mut self, wanted: &Wanted, content: &[u8]) -> Result<()> {
        self.todo.pop();
        match wanted.said {
            Said::Nothing => {
                self.schema.extend_from_slice(content);
                if self.schema.len() > SCHEMA_MAX {
                    return Err(Error::damaged("the schema has over 64 MiB"));
                }
            }
            Said::Piece(len) if content.len() != len => {
                let message = format!("piece {} has another length than its entry says", wanted.id);
                return Err(Error::damaged(message));
            }
            Said::Piece(_) => {}
            Said::Node(said) => match wanted.kind.below() {
                Some(below) => self.branch(said, below, content)?,
                None => self.leaf(said, matches!(wanted.kind, Kind::Catalog { .. }), content)?,
            },
        }
        Ok(())
    }

    fn branch(&mut self, said: Ref, below: Kind, content: &[u8]) -> Result<()> {
        said.check(refs(content)?.map(|below| (below.entries, below.bytes)))?;
        let first = self.todo.len();
        self.todo.extend(refs(content)?.map(|said| node(below, said)));
        self.todo[first..].reverse();
        Ok(())
    }

    fn leaf(&mut self, said: Ref, of_tables: bool, content: &[u8]) -> Result<()> {
        let items = Items::new(content).collect::<Result<Vec<_>>>()?;
        said.check_leaf(&items)?;
        if of_tables {
            for item in &items {
                let table = catalog::table(item)?;
                if self.tables.last().is_some_and(|last| last.name >= table.name) {
                    return Err(Error::damaged("the tables are not in order, each once"));
                }
                self.tables.push(table);
            }
            return Ok(());
        }
        let first = self.todo.len();
        let pieces = items.iter().flat_map(|item| item.key.pieces().chain(item.value.pieces()));
        let piece = |(id, len)| Step::Object(Wanted { kind: Kind::Blob, id, said: Said::Piece(len) });
        self.todo.extend(pieces.map(piece));
        self.todo[first..].reverse();
        Ok(())
    }
}

fn node(kind: Kind, said: Ref) -> Step {
    Step::Object(Wanted { kind, id: said.id, said: Said::Node(said) })
}
