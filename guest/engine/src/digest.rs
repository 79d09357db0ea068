//! Says what a store holds, in the ids that a snapshot of it would have, and stores nothing.

use std::collections::HashSet;

use crate::backup::{check_count, copy_table};
use crate::catalog::{self, Table};
use crate::error::{Place, Result};
use crate::id::{Id, Kind};
use crate::progress::Progress;
use crate::store::Store;
use crate::tree::Put;
use crate::tree::spine::Spine;

/// What a snapshot of a store would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Equal ids, equal data.
    pub id: Id,
    /// Sorted by name.
    pub tables: Vec<Table>,
}

/// Hashes what it is given, and forgets it.
struct Forgetful;

impl Put for Forgetful {
    fn put(&mut self, kind: Kind, content: &[u8]) -> Result<Id> {
        Ok(kind.id_of(content))
    }
}

/// Reads all of a store, or these of its tables, by their exact names; what is not there is left out.
pub fn digest(store: &dyn Store, only: Option<&[String]>, progress: &dyn Progress) -> Result<Digest> {
    let only: Option<HashSet<&str>> = only.map(|only| only.iter().map(String::as_str).collect());
    let all = store.tables()?;
    catalog::check(&all)?;
    let mut tables = Vec::new();
    for table in all {
        if only.as_ref().is_some_and(|only| !only.contains(table.name.as_str())) {
            continue;
        }
        let read = || -> Result<_> {
            let edges = copy_table(store, &table, &mut Forgetful, "digest", progress)?;
            let mut spine = Spine::new();
            spine.join(&edges, &mut Forgetful)?;
            let root = spine.finish(&mut Forgetful)?;
            let (entries, bytes) = root.map_or((0, 0), |root| (root.node.entries, root.node.bytes));
            check_count(&table.name, entries, table.entries)?;
            Ok((root, entries, bytes))
        };
        let (root, entries, bytes) = read().place(format_args!("table {:?}", table.name))?;
        tables.push(Table {
            name: table.name,
            multimap: table.multimap,
            entries,
            bytes,
            key_type: table.key_type,
            value_type: table.value_type,
            identity: table.identity,
            root,
        });
    }
    Ok(Digest { id: catalog::id(catalog::write(&tables, &mut Forgetful)?), tables })
}
