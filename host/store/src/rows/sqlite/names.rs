//! Names of tables in SQLite, which takes upper and lower case of ASCII for the same and keeps some names for itself.

use std::collections::HashSet;

/// The names that are taken, in lower case.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// The name for the next table: its own if SQLite can have it, otherwise `table_N`.
    pub(super) fn choose(&mut self, name: &str) -> String {
        let mut chosen = name.to_owned();
        let mut number = 1;
        while !is_possible(&chosen) || self.0.contains(&chosen.to_ascii_lowercase()) {
            chosen = format!("table_{number}");
            number += 1;
        }
        self.0.insert(chosen.to_ascii_lowercase());
        chosen
    }
}

fn is_possible(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    // SQL ends at a zero byte; whatever a tool calls its own, it should not find by accident.
    !name.is_empty()
        && !name.contains('\0')
        && !lower.starts_with("sqlite_")
        && !lower.starts_with("strongroom")
}

/// A name as it stands in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_where_sqlite_can_have_them() {
        let mut names = Names::default();
        let all = ["Users", "a\"b", "sqlite_x", "table_2", "users", "é", "É", "", "strongroom", "a\0"];
        let chosen: Vec<String> = all.iter().map(|name| names.choose(name)).collect();
        assert_eq!(
            chosen,
            ["Users", "a\"b", "table_1", "table_2", "table_3", "é", "É", "table_4", "table_5", "table_6"]
        );
    }
}
