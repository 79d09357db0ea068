//! Columns that stand under each other.

use std::io::{self, Write};

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// As text does.
    Left,
    /// As numbers do.
    Right,
}

/// Rows of cells, under headings.
pub struct Table {
    columns: Vec<(String, Side)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new<'h>(columns: impl IntoIterator<Item = (&'h str, Side)>) -> Self {
        let columns = columns.into_iter().map(|(heading, side)| (heading.to_owned(), side));
        Self { columns: columns.collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Writes it out, to the last byte.
    pub fn print(&self, to: &mut impl Write) -> io::Result<()> {
        let headings: Vec<String> = self.columns.iter().map(|(heading, _)| heading.clone()).collect();
        let mut widths = vec![0; self.columns.len()];
        for row in std::iter::once(&headings).chain(&self.rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for row in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), (_, side)) in row.iter().zip(&widths).zip(&self.columns) {
                let padding = " ".repeat(width - cell.chars().count());
                match side {
                    Side::Left => line.extend([cell, padding.as_str(), "  "]),
                    Side::Right => line.extend([padding.as_str(), cell, "  "]),
                }
            }
            writeln!(to, "{}", line.trim_end())?;
        }
        // An error of a buffer that is dropped would be lost.
        to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_under_each_other() {
        let mut table = Table::new([("NAME", Side::Left), ("ENTRIES", Side::Right), ("TYPE", Side::Left)]);
        table.row(["é", "1,000", "u64"].map(String::from));
        table.row(["accounts", "1", ""].map(String::from));
        let mut text = Vec::new();
        table.print(&mut text).unwrap();
        let expected = "NAME      ENTRIES  TYPE\né           1,000  u64\naccounts        1\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
