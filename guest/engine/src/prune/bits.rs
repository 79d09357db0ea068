//! One bit for each of many things.

/// Bits, all of them zero at first.
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub(crate) fn new(len: u64) -> Self {
        Self(vec![0; len.div_ceil(64) as usize])
    }

    pub(crate) fn get(&self, at: u64) -> bool {
        self.0[(at / 64) as usize] >> (at % 64) & 1 == 1
    }

    pub(crate) fn set(&mut self, at: u64) {
        self.0[(at / 64) as usize] |= 1 << (at % 64);
    }

    pub(crate) fn clear(&mut self, at: u64) {
        self.0[(at / 64) as usize] &= !(1 << (at % 64));
    }
}
