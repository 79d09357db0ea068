//! Reads an archive, in whatever pieces it comes.

use super::order::{Order, Step, Wanted};
use super::{HEADER, MAGIC, TRAILER, VERSION, tail};
use crate::bytes::Cursor;
use crate::catalog::Table;
use crate::error::{Code, Error, Result};
use crate::object::{self, Stored};
use crate::snapshot::{self, Snapshot};

/// Whoever wants what an archive holds. All of it was checked before it is given.
pub(crate) trait Take {
    /// It is the archive of this snapshot; its name may be any text.
    fn snapshot(&mut self, snapshot: &Snapshot) -> Result<()>;
    /// These are the tables, and what the store needs to make them again.
    fn tables(&mut self, _tables: &[Table], _template: &[u8]) -> Result<()> {
        Ok(())
    }
    /// The objects of this table follow.
    fn begin(&mut self, _number: usize, _table: &Table) -> Result<()> {
        Ok(())
    }
    /// An object: as it is stored, and its content.
    fn object(&mut self, wanted: &Wanted, stored: &[u8], content: &[u8]) -> Result<()>;
    /// This was all of the table.
    fn end(&mut self, _table: &Table) -> Result<()> {
        Ok(())
    }
}

/// Takes an archive apart as it comes in.
#[derive(Default)]
pub(crate) struct Reader {
    /// What has come and is not used yet.
    buffer: Vec<u8>,
    used: usize,
    /// Where in the archive the buffer begins.
    buffer_at: u64,
    /// Objects so far.
    count: u64,
    state: State,
}

#[derive(Default)]
enum State {
    #[default]
    Header,
    /// The snapshot's file, of so many bytes.
    Snapshot(usize),
    Objects(Box<Order>),
    Over,
    /// Something was wrong, and has been told.
    Failed,
}

/// What the archive itself is found to be, apart from what those who take it say.
enum Wrong {
    Here(Error),
    There(Error),
}

impl Reader {
    /// Takes the next bytes. After an error nothing more is taken.
    pub(crate) fn push(&mut self, bytes: &[u8], to: &mut dyn Take) -> Result<()> {
        self.buffer.drain(..self.used);
        self.buffer_at += self.used as u64;
        self.used = 0;
        self.buffer.extend_from_slice(bytes);
        loop {
            match self.step(to) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(wrong) => {
                    let e = self.explain(wrong);
                    self.state = State::Failed;
                    self.buffer = Vec::new();
                    return Err(e);
                }
            }
        }
    }

    /// Fails unless the archive was there from its beginning to its end.
    pub(crate) fn finish(&self) -> Result<()> {
        let len = self.at() + self.rest().len() as u64;
        let ended = match &self.state {
            State::Over => return Ok(()),
            State::Failed => {
                return Err(Error::invalid("the archive was found damaged; nothing comes of it"));
            }
            State::Header if len == 0 => {
                return Err(Error::damaged("the archive is empty: has whoever writes it failed?"));
            }
            State::Header | State::Snapshot(_) => "in what it says of its snapshot".to_owned(),
            State::Objects(order) => format!("in {}", order.place()),
        };
        Err(Error::damaged(format!("the archive is cut off: it ends at byte {len}, {ended}")))
    }

    /// Where in the archive that which comes next begins.
    fn at(&self) -> u64 {
        self.buffer_at + self.used as u64
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.used..]
    }

    fn explain(&self, wrong: Wrong) -> Error {
        match wrong {
            Wrong::There(e) => e,
            Wrong::Here(e) => match &self.state {
                State::Objects(order) => {
                    e.at(format_args!("the archive at byte {}, {}", self.at(), order.place()))
                }
                _ => e.at(format_args!("the archive at byte {}", self.at())),
            },
        }
    }

    /// Goes on by one thing; `false` if more bytes must come first.
    fn step(&mut self, to: &mut dyn Take) -> Result<bool, Wrong> {
        match &self.state {
            State::Header => self.header(),
            State::Snapshot(len) => self.snapshot(*len, to),
            State::Objects(_) => self.next(to),
            State::Over if self.rest().is_empty() => Ok(false),
            State::Over => Err(Wrong::Here(Error::damaged("there is more behind the end"))),
            State::Failed => {
                Err(Wrong::There(Error::invalid("the archive was found damaged; nothing more is taken")))
            }
        }
    }

    fn header(&mut self) -> Result<bool, Wrong> {
        let known = self.rest().len().min(MAGIC.len());
        if self.rest()[..known] != MAGIC[..known] {
            return Err(Wrong::Here(Error::damaged("this is no archive of a snapshot")));
        }
        let Some(header) = self.rest().first_chunk::<HEADER>() else { return Ok(false) };
        let mut fields = Cursor(&header[MAGIC.len()..]);
        let (version, len) = (fields.u32().unwrap_or_default(), fields.u32().unwrap_or_default() as usize);
        match version {
            VERSION => {}
            0 => return Err(Wrong::Here(Error::damaged("there is no version 0 of archives"))),
            _ => {
                let message = format!(
                    "it is an archive of version {version}, and this Strongroom knows version {VERSION} alone; use a newer one"
                );
                return Err(Wrong::Here(Error::new(Code::NewerFormat, message)));
            }
        }
        if len > snapshot::LEN_MAX {
            return Err(Wrong::Here(Error::damaged(format!(
                "what it says of its snapshot would have {len} bytes"
            ))));
        }
        self.used += HEADER;
        self.state = State::Snapshot(len);
        Ok(true)
    }

    fn snapshot(&mut self, len: usize, to: &mut dyn Take) -> Result<bool, Wrong> {
        let Some(file) = self.rest().get(..len) else { return Ok(false) };
        let snapshot = Snapshot::parse(file).map_err(Wrong::Here)?;
        let order = Order::new(snapshot).map_err(Wrong::Here)?;
        to.snapshot(order.snapshot()).map_err(Wrong::There)?;
        self.used += len;
        self.state = State::Objects(Box::new(order));
        Ok(true)
    }

    fn next(&mut self, to: &mut dyn Take) -> Result<bool, Wrong> {
        let State::Objects(order) = &mut self.state else { return Ok(true) };
        let rest = &self.buffer[self.used..];
        match order.next().map_err(Wrong::Here)? {
            Step::Tables => to.tables(order.tables(), order.template()).map_err(Wrong::There)?,
            Step::Begin(table) => to.begin(table, &order.tables()[table]).map_err(Wrong::There)?,
            Step::End(table) => to.end(&order.tables()[table]).map_err(Wrong::There)?,
            Step::Object(wanted) => {
                let Some(len) = object::len_of(rest).map_err(Wrong::Here)? else { return Ok(false) };
                let Some(stored) = rest.get(..len) else { return Ok(false) };
                let content = open(&wanted, stored).map_err(Wrong::Here)?;
                order.opened(&wanted, &content).map_err(Wrong::Here)?;
                self.used += len;
                self.count += 1;
                to.object(&wanted, stored, &content).map_err(Wrong::There)?;
            }
            Step::Over => {
                let Some(end) = rest.first_chunk::<TRAILER>() else { return Ok(false) };
                if *end != tail(self.count) {
                    return Err(Wrong::Here(Error::damaged("its end is not what was written")));
                }
                self.used += TRAILER;
                self.state = State::Over;
            }
        }
        Ok(true)
    }
}

/// The content of an object that must be the one that is wanted.
fn open(wanted: &Wanted, stored: &[u8]) -> Result<Vec<u8>> {
    let object = Stored::parse(stored)?;
    if object.id != wanted.id || object.kind != wanted.kind {
        return Err(Error::damaged(format!("another object stands where {} should be", wanted.id)));
    }
    if object.base.is_some() {
        return Err(Error::damaged(format!("object {} is a delta, which no archive has", wanted.id)));
    }
    let content = object.body()?;
    object::check(wanted.kind, wanted.id, &content)?;
    Ok(content)
}
