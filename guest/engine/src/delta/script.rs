//! The edit script of a delta: what of the base is kept, what is passed over, what is new, in bytes.

use crate::error::{Error, Result};

/// What a step does, in the two lowest bits of its number.
const KEEP: u32 = 0;
const SKIP: u32 = 1;
const INSERT: u32 = 2;
const REPLACE: u32 = 3;

/// Writes a script.
#[derive(Default)]
pub(super) struct Script {
    out: Vec<u8>,
    /// What is not written yet, in this order; what is skipped and what is inserted belong together.
    keep: usize,
    skip: usize,
    insert: Vec<u8>,
}

impl Script {
    pub(super) fn keep(&mut self, len: usize) {
        if len > 0 {
            if self.skip > 0 || !self.insert.is_empty() {
                self.flush();
            }
            self.keep += len;
        }
    }

    pub(super) fn skip(&mut self, len: usize) {
        self.skip += len;
    }

    pub(super) fn insert(&mut self, bytes: &[u8]) {
        self.insert.extend_from_slice(bytes);
    }

    fn flush(&mut self) {
        let (keep, skip, insert) =
            (std::mem::take(&mut self.keep), std::mem::take(&mut self.skip), self.insert.len());
        self.step(KEEP, keep);
        if skip == insert {
            self.step(REPLACE, skip);
        } else {
            self.step(SKIP, skip);
            self.step(INSERT, insert);
        }
        self.out.append(&mut self.insert);
    }

    fn step(&mut self, what: u32, len: usize) {
        if len == 0 {
            return;
        }
        let mut number = (len as u32) << 2 | what;
        while number >= 128 {
            self.out.push(number as u8 | 128);
            number >>= 7;
        }
        self.out.push(number as u8);
    }

    /// The script. What is left of the base is passed over without a word.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.insert.is_empty() {
            self.skip = 0;
        }
        self.flush();
        self.out
    }
}

/// A number of up to 28 bits, in the shortest form.
fn number(script: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    for shift in [0, 7, 14, 21] {
        let (byte, rest) = script.split_first()?;
        *script = rest;
        number |= u32::from(byte & 127) << shift;
        if *byte < 128 {
            return (shift == 0 || *byte > 0).then_some(number);
        }
    }
    None
}

/// What a script makes of a base: exactly `len` bytes, and never more.
pub(crate) fn apply(mut script: &[u8], mut base: &[u8], len: usize) -> Result<Vec<u8>> {
    let wrong = || Error::damaged("the edit script of a delta does not fit its base");
    let mut content = Vec::with_capacity(len);
    while !script.is_empty() {
        let step = number(&mut script).ok_or_else(wrong)?;
        let (what, n) = (step & 3, (step >> 2) as usize);
        if n == 0 || (what != SKIP && n > len - content.len()) {
            return Err(wrong());
        }
        if what != INSERT {
            let (head, rest) = base.split_at_checked(n).ok_or_else(wrong)?;
            base = rest;
            if what == KEEP {
                content.extend_from_slice(head);
            }
        }
        if what == INSERT || what == REPLACE {
            let (head, rest) = script.split_at_checked(n).ok_or_else(wrong)?;
            script = rest;
            content.extend_from_slice(head);
        }
    }
    if content.len() == len { Ok(content) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_script_says_what_it_was_told() {
        let mut script = Script::default();
        script.keep(1);
        script.keep(1);
        script.skip(2);
        script.insert(b"x");
        script.keep(1);
        script.skip(1);
        script.insert(b"y");
        script.keep(1);
        script.skip(9);
        let script = script.finish();
        assert_eq!(apply(&script, b"abcdefg", 6).unwrap(), b"abxeyg");
        // keep 2, skip 2, insert x, keep 1, replace y, keep 1
        assert_eq!(script, [8, 9, 6, b'x', 4, 7, b'y', 4]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (script, len) in [
            (&[4 << 2][..], 4), // keeps more than there is
            (&[3 << 2], 2),     // makes more than it should
            (&[2 << 2], 3),     // and less
            (&[0], 0),          // nothing
            (&[1], 0),
            (&[1 << 2 | 2], 1),                  // the bytes to insert are missing
            (&[4 << 2 | 1, 1 << 2 | 2, 9], 1),   // skips more than there is
            (&[1 << 2 | 128, 0], 1),             // not the shortest form
            (&[255, 255, 255, 255, 1], 1 << 20), // too large a number
            (&[128], 1),
        ] {
            assert!(apply(script, b"abc", len).is_err(), "{script:?}");
        }
        assert_eq!(apply(&[3 << 2], b"abc", 3).unwrap(), b"abc");
        assert_eq!(apply(&[], b"abc", 0).unwrap(), b"");
    }

    proptest! {
        #[test]
        fn garbage_never_panics_and_never_makes_more(
            script in prop::collection::vec(any::<u8>(), 0..200),
            base in prop::collection::vec(any::<u8>(), 0..200),
            len in 0usize..400,
        ) {
            if let Ok(content) = apply(&script, &base, len) {
                prop_assert_eq!(content.len(), len);
            }
        }
    }
}
