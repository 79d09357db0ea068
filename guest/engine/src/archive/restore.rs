//! Restores an archive, without a repository.

use std::collections::HashSet;

use super::order::Wanted;
use super::{Reader, Take, check_names};
use crate::catalog::Table;
use crate::error::{Error, Place, Result};
use crate::globs;
use crate::id::Kind;
use crate::progress::{Progress, advance};
use crate::restore::check_written;
use crate::snapshot::Snapshot;
use crate::store::Sink;
use crate::tree::item::{Field, Items};

/// Makes a sink from the template of a store.
type Create<'s> = Box<dyn FnOnce(&[u8]) -> Result<Box<dyn Sink + 's>> + 's>;

/// An archive on its way into a sink. The sink is finished when all of the archive was there and proved to be whole.
pub struct RestoreArchive<'s> {
    reader: Reader,
    filling: Filling<'s>,
}

struct Filling<'s> {
    progress: &'s dyn Progress,
    globs: Option<Vec<String>>,
    snapshot: Option<Snapshot>,
    create: Option<Create<'s>>,
    sink: Option<Box<dyn Sink + 's>>,
    /// The tables that are wanted, by their numbers.
    chosen: HashSet<usize>,
    /// The table at hand is one of them.
    writing: bool,
    /// What of a leaf waits for pieces that follow it, the next one last.
    waiting: Vec<Part>,
}

enum Part {
    Bytes(Vec<u8>),
    /// The next object is it.
    Piece,
}

impl<'s> RestoreArchive<'s> {
    /// Restores the tables that match the globs, or all. `sink` is asked for with the template of the store.
    pub fn new(
        tables: Option<&[String]>,
        progress: &'s dyn Progress,
        sink: impl FnOnce(&[u8]) -> Result<Box<dyn Sink + 's>> + 's,
    ) -> Self {
        let filling = Filling {
            progress,
            globs: tables.map(<[String]>::to_vec),
            snapshot: None,
            create: Some(Box::new(sink)),
            sink: None,
            chosen: HashSet::new(),
            writing: false,
            waiting: Vec::new(),
        };
        Self { reader: Reader::default(), filling }
    }

    /// Takes the next bytes of the archive. After an error nothing more is taken.
    pub fn take(&mut self, bytes: &[u8]) -> Result<()> {
        self.reader.push(bytes, &mut self.filling)
    }

    /// The archive has ended: finishes the sink if all of it was there. The snapshot that it is of.
    pub fn finish(self) -> Result<Snapshot> {
        self.reader.finish()?;
        match (self.filling.snapshot, self.filling.sink) {
            (Some(snapshot), Some(sink)) => sink.finish().map(|()| snapshot),
            _ => Err(Error::invalid("there is no archive")),
        }
    }
}

impl Filling<'_> {
    fn sink(&mut self) -> Result<&mut (dyn Sink + '_)> {
        match &mut self.sink {
            Some(sink) => Ok(sink.as_mut()),
            None => Err(Error::invalid("the archive has entries before its tables")),
        }
    }

    /// Hands over what waits, up to the next piece that has not come yet.
    fn hand_over(&mut self) -> Result<()> {
        while let Some(Part::Bytes(bytes)) = self.waiting.pop_if(|part| matches!(part, Part::Bytes(_))) {
            self.sink()?.append(&bytes)?;
        }
        Ok(())
    }

    fn leaf(&mut self, content: &[u8]) -> Result<()> {
        let items = Items::new(content).collect::<Result<Vec<_>>>()?;
        if !items.iter().any(|item| item.is_spilled()) {
            return self.sink()?.append(content);
        }
        for item in &items {
            let lengths = [item.key.len(), item.value.len()];
            self.waiting.push(Part::Bytes(lengths.iter().flat_map(|len| len.to_le_bytes()).collect()));
            for field in [item.key, item.value] {
                match field {
                    Field::Here(bytes) => self.waiting.push(Part::Bytes(bytes.to_vec())),
                    Field::Pieces(..) => self.waiting.extend(field.pieces().map(|_| Part::Piece)),
                }
            }
        }
        self.waiting.reverse();
        self.hand_over()
    }
}

impl Take for Filling<'_> {
    fn snapshot(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.snapshot = Some(snapshot.clone());
        check_names(snapshot, "import it under another --name first")
    }

    fn tables(&mut self, tables: &[Table], template: &[u8]) -> Result<()> {
        let numbered: Vec<(usize, &Table)> = tables.iter().enumerate().collect();
        let chosen = globs::choose(&numbered, self.globs.as_deref(), |(_, table)| &table.name)?;
        self.chosen = chosen.into_iter().map(|(number, _)| *number).collect();
        self.sink = self.create.take().map(|create| create(template)).transpose()?;
        Ok(())
    }

    fn begin(&mut self, number: usize, table: &Table) -> Result<()> {
        self.writing = self.chosen.contains(&number);
        if self.writing {
            self.sink()?.table(&table.to_store()).place(format_args!("table {:?}", table.name))?;
        }
        Ok(())
    }

    fn object(&mut self, wanted: &Wanted, stored: &[u8], content: &[u8]) -> Result<()> {
        match wanted.kind {
            Kind::Node { level: 0 } if self.writing => self.leaf(content)?,
            Kind::Blob if self.writing => {
                self.waiting.pop_if(|part| matches!(part, Part::Piece));
                self.sink()?.append(content)?;
                self.hand_over()?;
            }
            _ => {}
        }
        let entries = if self.writing { wanted.entries() } else { 0 };
        advance(self.progress, "restore", stored.len() as u64, entries)
    }

    fn end(&mut self, table: &Table) -> Result<()> {
        if !std::mem::take(&mut self.writing) {
            return Ok(());
        }
        let written = self.sink()?.finish_table().place(format_args!("table {:?}", table.name))?;
        check_written(table, written)
    }
}
