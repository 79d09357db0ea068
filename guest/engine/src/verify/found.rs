//! What is wrong, and what it costs: in bounded memory, however much is damaged and however many snapshots share it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Damage, Verified};
use crate::repair::Note;

/// So many things are told one by one, with so many names of snapshots and tables; the rest together. Of the names none is
/// left out.
const TOLD_MAX: usize = 1000;
const NAMES_MAX: usize = 1 << 17;

const MORE: &str =
    "further objects are damaged or missing, too many to tell one by one; `repair` works on all of them";

/// What something costs.
#[derive(Default)]
struct Costs {
    snapshots: BTreeSet<String>,
    tables: BTreeSet<String>,
    /// Entries of each of these tables.
    entries: Option<u64>,
}

/// By file and by what is wrong: which snapshots and tables it costs.
#[derive(Default)]
pub(super) struct Found {
    told: BTreeMap<(String, String), Costs>,
    /// Names in it.
    names: usize,
    more: Costs,
    more_warnings: usize,
}

impl Costs {
    /// Adds what is not in it yet; how many names that is.
    fn add(&mut self, snapshot: &str, table: &str) -> usize {
        let add = |names: &mut BTreeSet<String>, name: &str| {
            !name.is_empty() && !names.contains(name) && names.insert(name.to_owned())
        };
        usize::from(add(&mut self.snapshots, snapshot)) + usize::from(add(&mut self.tables, table))
    }

    fn has(&self, snapshot: &str, table: &str) -> bool {
        self.snapshots.contains(snapshot) && (table.is_empty() || self.tables.contains(table))
    }
}

impl Found {
    /// What costs nobody anything, as far as is known by now.
    pub(super) fn warn(&mut self, file: String, what: String) {
        let key = (file, what);
        if self.told.len() < TOLD_MAX {
            self.told.entry(key).or_default();
        } else if !self.told.contains_key(&key) {
            self.more_warnings += 1;
        }
    }

    /// What costs this table of this snapshot so many entries; without a table, the snapshot itself.
    pub(super) fn cost(
        &mut self,
        file: String,
        what: String,
        snapshot: &str,
        table: &str,
        entries: Option<u64>,
    ) {
        let (few, room) = (self.told.len() < TOLD_MAX, self.names < NAMES_MAX);
        let key = (file, what);
        let told = self.told.get(&key);
        if !told.map_or(few && room, |told| room || told.has(snapshot, table)) {
            self.more.add(snapshot, table);
            return;
        }
        let costs = self.told.entry(key).or_default();
        self.names += costs.add(snapshot, table);
        if !table.is_empty() {
            costs.entries = costs.entries.max(entries);
        }
    }

    /// What was found. What costs no snapshot anything is a warning.
    pub(super) fn into(self, verified: &mut Verified) {
        let more = (!self.more.snapshots.is_empty()).then(|| ((String::new(), MORE.to_owned()), self.more));
        for ((file, what), Costs { snapshots, tables, entries }) in self.told.into_iter().chain(more) {
            if snapshots.is_empty() {
                verified.warnings.push(Note { file, what });
            } else {
                let (snapshots, tables) = (snapshots.into_iter().collect(), tables.into_iter().collect());
                verified.damage.push(Damage { file, what, snapshots, tables, entries });
            }
        }
        if self.more_warnings > 0 {
            let what = format!("{} more things of this kind", self.more_warnings);
            verified.warnings.push(Note { file: String::new(), what });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_damage_of_many_snapshots_takes_bounded_memory_and_no_name_is_left_out() {
        let mut found = Found::default();
        let name = |what: &str, number: u32| format!("{what}-{number:04}");
        for snapshot in 0..500 {
            for object in 0..2000 {
                let what = format!("object {object} is damaged");
                found.cost(
                    name("pack", 1),
                    what,
                    &name("snapshot", snapshot),
                    &name("table", object),
                    Some(1),
                );
            }
        }
        assert!(found.told.len() <= TOLD_MAX && found.names <= NAMES_MAX + 2);
        let mut verified = Verified::default();
        found.into(&mut verified);
        let all = |names: fn(&Damage) -> &Vec<String>| {
            verified.damage.iter().flat_map(names).collect::<BTreeSet<_>>().len()
        };
        assert_eq!((all(|damage| &damage.snapshots), all(|damage| &damage.tables)), (500, 2000));
        assert_eq!(verified.damage.last().unwrap().what, MORE);
    }

    #[test]
    fn little_damage_is_told_one_by_one() {
        let mut found = Found::default();
        found.warn("a".to_owned(), "odd".to_owned());
        found.cost("b".to_owned(), "damaged".to_owned(), "one", "table", Some(2));
        found.cost("b".to_owned(), "damaged".to_owned(), "two", "table", Some(3));
        let mut verified = Verified::default();
        found.into(&mut verified);
        assert_eq!(verified.warnings.len(), 1);
        let [damage] = &verified.damage[..] else { panic!("{:?}", verified.damage) };
        assert_eq!((damage.snapshots.len(), &damage.tables[..]), (2, &["table".to_owned()][..]));
        assert_eq!(damage.entries, Some(3));
    }
}
