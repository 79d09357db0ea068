//! Writes an archive.

use super::order::{Order, Step, Wanted};
use super::{head, tail};
use crate::error::{Code, Error, Place, Result};
use crate::object;
use crate::objects::Objects;
use crate::progress::{Progress, advance};
use crate::repository;
use crate::snapshot::{self, Snapshot};
use crate::store::Bytes;
use crate::vault::Vault;

/// The archive of a snapshot, as it is read off.
pub struct Export<'a> {
    vault: &'a dyn Vault,
    objects: Objects<'a>,
    order: Order,
    encoder: object::Encoder,
    progress: &'a dyn Progress,
    /// What is still to be read of what was made last.
    ready: Vec<u8>,
    at: usize,
    /// Objects so far.
    count: u64,
    ended: bool,
}

/// Begins the archive of the snapshot that is meant: a name, the beginning of an id, or `latest`.
pub fn export<'a>(vault: &'a dyn Vault, which: &str, progress: &'a dyn Progress) -> Result<Export<'a>> {
    repository::check(vault)?;
    // What the next backup wants to know, and where this one came from, holds in its own repository only.
    let snapshot = Snapshot { tracking: None, imported: false, ..snapshot::find(vault, which)? };
    let objects = Objects::open(vault)?;
    let ready = head(&snapshot.to_file()?);
    let place = format!("snapshot {:?}", snapshot.name);
    let order = Order::new(snapshot).place(place)?;
    let encoder = object::Encoder::default();
    Ok(Export { vault, objects, order, encoder, progress, ready, at: 0, count: 0, ended: false })
}

impl Export<'_> {
    /// What it is the archive of.
    pub fn snapshot(&self) -> &Snapshot {
        self.order.snapshot()
    }

    /// Makes the next bytes ready; `false` at the end.
    fn fill(&mut self) -> Result<bool> {
        self.ready.clear();
        self.at = 0;
        if self.ended {
            return Ok(false);
        }
        loop {
            match self.order.next()? {
                Step::Object(wanted) => {
                    self.object(&wanted)?;
                    return Ok(true);
                }
                Step::Over => {
                    self.ready.extend_from_slice(&tail(self.count));
                    self.ended = true;
                    return Ok(true);
                }
                Step::Tables | Step::Begin(_) | Step::End(_) => {}
            }
        }
    }

    fn object(&mut self, wanted: &Wanted) -> Result<()> {
        let content = self.objects.read(wanted.kind, wanted.id)?;
        let (id, _) = self.encoder.encode(wanted.kind, &content, None, &mut self.ready)?;
        if id != wanted.id {
            let message = format!("object {} changed while it was written; is the memory sound?", wanted.id);
            return Err(Error::new(Code::Other, message));
        }
        self.order.opened(wanted, &content)?;
        self.count += 1;
        advance(self.progress, "export", content.len() as u64, wanted.entries())
    }

    fn explain(&self, e: Error) -> Error {
        let name = &self.snapshot().name;
        match snapshot::exists(self.vault, name) {
            // What is missing because somebody took the snapshot away is no damage.
            Ok(false) if e.code == Code::Damaged => {
                Error::new(Code::NotFound, format!("snapshot {name:?} was forgotten while it was exported"))
            }
            _ if e.code == Code::Cancelled => e,
            _ => e.at(self.order.place()).at(format_args!("snapshot {name:?}")),
        }
    }
}

impl Bytes for Export<'_> {
    /// After an error there is nothing more to read.
    fn read(&mut self, max: u32) -> Result<Vec<u8>> {
        let max = max as usize;
        let mut out = Vec::with_capacity(max.min(1 << 20));
        while out.len() < max {
            if self.at == self.ready.len() {
                match self.fill() {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(e) => {
                        self.ended = true;
                        self.ready.clear();
                        return Err(self.explain(e));
                    }
                }
            }
            let rest = &self.ready[self.at..];
            let take = rest.len().min(max - out.len());
            out.extend_from_slice(&rest[..take]);
            self.at += take;
        }
        Ok(out)
    }
}
