//! Where a backup's content goes: into packs, unless the repository has it.

use crate::codec::Compression;
use crate::delta::Base;
use crate::error::{Code, Error, Result};
use crate::id::{Id, Kind};
use crate::index::{Has, Index};
use crate::pack::{Pack, Packer};
use crate::tree::Put;
use crate::vault::Vault;

/// What is there already, and what is written now.
pub(crate) struct Stock<'a> {
    index: Index<'a>,
    packer: Packer<'a>,
    bytes_added: u64,
}

impl<'a> Stock<'a> {
    pub(crate) fn open(vault: &'a dyn Vault, label: impl Into<String>) -> Result<Self> {
        Ok(Self::over(vault, label, Index::open(vault)?))
    }

    /// The same, with what this index lists.
    pub(crate) fn over(vault: &'a dyn Vault, label: impl Into<String>, index: Index<'a>) -> Self {
        Self { index, packer: Packer::new(vault, label), bytes_added: 0 }
    }

    /// What was there already.
    pub(crate) fn index(&self) -> &Index<'a> {
        &self.index
    }

    /// The same for one of so many parts, which may all be at work at once.
    pub(crate) fn of_part(vault: &'a dyn Vault, label: impl Into<String>, parts: usize) -> Result<Self> {
        let stock = Self::open(vault, label)?;
        Ok(if parts > 2 { Self { index: stock.index.one_of_many(), ..stock } } else { stock })
    }

    /// The same, but new content is compressed like this.
    pub(crate) fn compressing(mut self, compression: Compression) -> Self {
        self.packer.compress(compression);
        self
    }

    /// Makes all of it durable; the new packs, and how many bytes their objects have.
    pub(crate) fn finish(self) -> Result<(Vec<Pack>, u64)> {
        Ok((self.packer.finish()?, self.bytes_added))
    }
}

impl Stock<'_> {
    fn keep(&mut self, kind: Kind, content: &[u8], base: Option<&Base>) -> Result<Id> {
        if base.is_some() || self.index.is_empty() {
            // It is likely to be new, so the id need not be known before; the packer derives it from the stored form.
            let index = &self.index;
            let wanted = |id: &Id| Ok(index.is_empty() || index.has(id)? == Has::Nothing);
            if let (id, Some(added)) = self.packer.add_if(kind, content, base, wanted)? {
                self.bytes_added += added;
                return Ok(id);
            }
        }
        let id = kind.id_of(content);
        if self.packer.holds(&id) || self.index.has(&id)? == Has::All {
            return Ok(id);
        }
        // Of two places of an object the one where it is stored whole counts.
        let (stored, added) = self.packer.add(kind, content, None)?;
        if stored != id {
            return Err(Error::new(
                Code::Other,
                format!("object {id} changed while it was stored; is the memory sound?"),
            ));
        }
        self.bytes_added += added;
        Ok(id)
    }
}

impl Stock<'_> {
    /// Keeps an object as it is stored elsewhere, which must be whole.
    pub(crate) fn put_stored(&mut self, id: Id, stored: &[u8]) -> Result<()> {
        if self.packer.holds(&id) || self.index.has(&id)? == Has::All {
            return Ok(());
        }
        let added = self.packer.add_stored(id, stored, |_| Ok(false))?;
        self.bytes_added += added.ok_or_else(|| {
            let message = format!("object {id} changed while it was stored; is the memory sound?");
            Error::new(Code::Other, message)
        })?;
        Ok(())
    }
}

impl Put for Stock<'_> {
    fn put(&mut self, kind: Kind, content: &[u8]) -> Result<Id> {
        self.keep(kind, content, None)
    }

    fn put_with_base(&mut self, kind: Kind, content: &[u8], base: &Base) -> Result<Id> {
        self.keep(kind, content, Some(base))
    }
}
