//! What happens to operations: the run ends, or they fail.

use crate::error::{Code, Error};

/// What happens, and from which operation on, counted from 0 since [`begin`](super::Disk::begin).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The run is killed before this change. Later operations fail and do nothing; what was done stays as it is, and
    /// what was not durable is not durable.
    Kill {
        /// Counted among the operations that change something.
        before_change: u64,
    },
    /// This operation fails.
    Fail {
        /// Counted among all operations.
        at: u64,
        /// In which way.
        effect: Effect,
        /// Which of the later ones fail too.
        repeat: Repeat,
    },
}

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// With an error of the device (EIO). Of a write a part is done; what a sync should have kept is lost.
    Io,
    /// With the same error, although it was done, as over a network.
    IoButDone,
    /// Because no room is left (ENOSPC): whatever takes room. Of a write a part is done.
    Full,
    /// Not with an error: a read gives fewer bytes than there are.
    ShortRead,
    /// Not with an error: a sync does nothing, as if it had been forgotten.
    NoSync,
}

impl Effect {
    /// Whether it is of any concern to this operation.
    pub fn strikes(self, operation: Operation) -> bool {
        match self {
            Effect::Io | Effect::IoButDone => true,
            Effect::Full => operation.takes_room,
            Effect::ShortRead => operation.is_read,
            Effect::NoSync => operation.is_sync,
        }
    }
}

/// What kind of operation it is, as far as faults make a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// It changes something, or makes a change durable.
    pub changes: bool,
    /// It takes room.
    pub takes_room: bool,
    /// It makes something durable.
    pub is_sync: bool,
    /// It reads what a file holds.
    pub is_read: bool,
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Only this one.
    Once,
    /// This one and all later ones of its kind: reads, writes, syncs, ...
    OfItsKind,
    /// This one and all later ones, until there is another [`begin`](super::Disk::begin).
    Forever,
}

/// How an operation is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// As it should be.
    Well,
    /// Only a part of it, which follows from this number.
    Part(u64),
    /// A sync that loses what it should keep.
    Lost,
    /// A sync that does nothing.
    NotAtAll,
}

/// An operation that is about to happen.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    doing: &'static str,
    path: &'a str,
    is: Operation,
}

impl<'a> Asked<'a> {
    pub(super) fn look(doing: &'static str, path: &'a str) -> Self {
        let is = Operation { changes: false, takes_room: false, is_sync: false, is_read: false };
        Self { doing, path, is }
    }

    pub(super) fn change(doing: &'static str, path: &'a str) -> Self {
        let look = Self::look(doing, path);
        Self { is: Operation { changes: true, takes_room: true, ..look.is }, ..look }
    }

    pub(super) fn frees(self) -> Self {
        Self { is: Operation { takes_room: false, ..self.is }, ..self }
    }

    pub(super) fn syncs(self) -> Self {
        Self { is: Operation { is_sync: true, ..self.is }, ..self }
    }

    pub(super) fn reads(self) -> Self {
        Self { is: Operation { is_read: true, ..self.is }, ..self }
    }
}

pub(super) enum Verdict {
    Do(How),
    /// It fails, perhaps after something of it was done.
    Fail(Error, Option<How>),
}

#[derive(Clone, Default)]
pub(super) struct Faults {
    fault: Option<Fault>,
    /// The kind of what was struck first.
    kind: Option<&'static str>,
    pub(super) operations: Vec<Operation>,
    pub(super) changes: u64,
    pub(super) struck: Option<String>,
}

impl Faults {
    pub(super) fn begin(&mut self, fault: Option<Fault>) {
        *self = Self { fault, ..Self::default() };
    }

    pub(super) fn judge(&mut self, asked: Asked<'_>) -> Verdict {
        let number = self.operations.len() as u64;
        let strikes = match self.fault {
            None => false,
            Some(Fault::Kill { before_change }) => {
                self.struck.is_some() || (asked.is.changes && self.changes == before_change)
            }
            Some(Fault::Fail { at, effect, repeat }) => {
                let due = match (repeat, self.kind) {
                    (Repeat::Once, _) => number == at,
                    (Repeat::OfItsKind, Some(kind)) => kind == asked.doing,
                    (Repeat::OfItsKind | Repeat::Forever, _) => number >= at,
                };
                due && effect.strikes(asked.is)
            }
        };
        self.operations.push(asked.is);
        self.changes += u64::from(asked.is.changes);
        if !strikes {
            return Verdict::Do(How::Well);
        }
        let place = format!("{} {:?}", asked.doing, asked.path);
        self.kind.get_or_insert(asked.doing);
        self.struck.get_or_insert_with(|| format!("operation {number}: {place}"));
        match self.fault {
            Some(Fault::Fail { effect, .. }) => outcome(effect, asked, number, &place),
            _ => Verdict::Fail(Error::new(Code::Io, format!("killed, so cannot {place}")), None),
        }
    }
}

fn outcome(effect: Effect, asked: Asked<'_>, number: u64, place: &str) -> Verdict {
    // Any number will do that differs from one operation to the next.
    let part = How::Part(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16);
    let left = match (asked.doing, asked.is.is_sync) {
        ("write", _) => Some(part),
        (_, true) => Some(How::Lost),
        _ => None,
    };
    match effect {
        Effect::Io => Verdict::Fail(Error::new(Code::Io, format!("cannot {place}: I/O error")), left),
        Effect::IoButDone => {
            Verdict::Fail(Error::new(Code::Io, format!("cannot {place}: no answer")), Some(How::Well))
        }
        Effect::Full => {
            Verdict::Fail(Error::new(Code::Full, format!("cannot {place}: no room is left")), left)
        }
        Effect::ShortRead => Verdict::Do(part),
        Effect::NoSync => Verdict::Do(How::NotAtAll),
    }
}
