//! An object and all that it rests on.

use crate::delta::{self, Mark};
use crate::error::{Error, Result};
use crate::id::{Id, Kind};
use crate::index::Location;
use crate::object::{self, Stored};

/// An object, taken out of its pack.
pub(crate) struct Link {
    pub(crate) kind: Kind,
    pub(crate) id: Id,
    pub(crate) mark: Mark,
    pub(crate) base: Option<Id>,
    /// How many bytes the content has.
    pub(crate) len: usize,
    /// The content, or the script that makes it of that of the base.
    pub(crate) body: Vec<u8>,
    /// Where it lies, if it was read from there.
    pub(crate) place: Option<Location>,
}

impl Link {
    pub(crate) fn new(stored: &Stored<'_>) -> Result<Self> {
        let Stored { kind, id, mark, base, .. } = *stored;
        Ok(Self { kind, id, mark, base, len: stored.len(), body: stored.body()?, place: None })
    }

    /// The same, of what lies here.
    pub(crate) fn at(stored: &Stored<'_>, place: Location) -> Result<Self> {
        Ok(Self { place: Some(place), ..Self::new(stored)? })
    }
}

/// An object and what it rests on.
pub(crate) struct Chain {
    /// That object first, and what it is a delta of next; none if it is stored whole.
    pub(crate) deltas: Vec<Link>,
    pub(crate) full: Link,
}

impl Chain {
    /// How many deltas it has, as the first one says.
    pub(crate) fn depth(&self) -> u8 {
        self.deltas.first().map_or(0, |delta| delta.mark.depth())
    }

    /// The content, checked.
    pub(crate) fn content(&self) -> Result<Vec<u8>> {
        let Some(first) = self.deltas.first() else {
            object::check(self.full.kind, self.full.id, &self.full.body)?;
            return Ok(self.full.body.clone());
        };
        let made = self.contents(|_, _| Ok(())).map(Option::unwrap_or_default);
        made.map_err(|e| self.blame().unwrap_or(e)).and_then(|content| {
            object::check(first.kind, first.id, &content).map_err(|e| self.blame().unwrap_or(e))?;
            Ok(content)
        })
    }

    /// The same, where nothing else is wanted.
    pub(crate) fn into_content(self) -> Result<Vec<u8>> {
        if !self.deltas.is_empty() {
            return self.content();
        }
        object::check(self.full.kind, self.full.id, &self.full.body)?;
        Ok(self.full.body)
    }

    /// Hands on the content of each of them, unchecked, from what is stored whole to the object itself; what the last
    /// script makes, if there is one.
    pub(crate) fn contents(
        &self,
        mut see: impl FnMut(&Link, &[u8]) -> Result<()>,
    ) -> Result<Option<Vec<u8>>> {
        see(&self.full, &self.full.body)?;
        let mut content: Option<Vec<u8>> = None;
        for delta in self.deltas.iter().rev() {
            let made = delta::apply(&delta.body, content.as_ref().unwrap_or(&self.full.body), delta.len)?;
            see(delta, &made)?;
            content = Some(made);
        }
        Ok(content)
    }

    /// What is wrong with the first object of the chain, from its whole end, that is not what was written.
    fn blame(&self) -> Option<Error> {
        let (kind, id) = self.deltas.first().map(|first| (first.kind, first.id))?;
        let rests = |e: Error, on: Id| {
            if on == id {
                e.at(format_args!("object {id}"))
            } else {
                e.at(format_args!("object {id} rests on {on}"))
            }
        };
        if let Err(e) = object::check(kind, self.full.id, &self.full.body) {
            return Some(rests(e, self.full.id));
        }
        let mut content: Option<Vec<u8>> = None;
        for delta in self.deltas.iter().rev() {
            let made = delta::apply(&delta.body, content.as_ref().unwrap_or(&self.full.body), delta.len);
            match made.and_then(|made| object::check(kind, delta.id, &made).map(|()| made)) {
                Ok(made) => content = Some(made),
                Err(e) => return Some(rests(e, delta.id)),
            }
        }
        None
    }
}
