//! `cp`, and `sync` of what it wrote: what any copy costs on this machine.

use anyhow::Result;

use super::{Peer, shell};
use crate::bench::data::Data;
use crate::bench::samples::{Case, Recorder};
use crate::bench::work::Work;

pub(in crate::bench) const NAME: &str = "cp + sync";

pub(super) struct Copy;

impl Peer for Copy {
    fn name(&self) -> &'static str {
        NAME
    }

    fn copies_everything(&self) -> bool {
        true
    }

    fn takes(&self, _data: &Data) -> bool {
        true
    }

    fn round(&mut self, work: &Work, data: &Data, samples: &mut Recorder<'_>) -> Result<()> {
        let to = work.scratch("copy");
        let copy = work.measure(&mut shell(r#"cp "$1" "$2"; sync "$2""#, &[&data.base, &to]), &to)?;
        samples.record(Case::First, &copy);
        samples.record(Case::FirstUncompressed, &copy);
        Ok(())
    }
}
