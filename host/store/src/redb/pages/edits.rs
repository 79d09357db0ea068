//! Edits on their way out: adjacent ones that keep or leave out become one, and all are cut anywhere.

const KEEP: u8 = 0;
const SKIP: u8 = 1;
const ITEMS: u8 = 2;

/// A stream of edits.
#[derive(Default)]
pub(super) struct Edits {
    /// The last one, as long as more of its kind may follow.
    open: Option<(u8, u64)>,
    out: Vec<u8>,
    /// How much of it was taken.
    taken: usize,
}

impl Edits {
    pub(super) fn keep(&mut self, n: u64) {
        self.push(KEEP, n);
    }

    pub(super) fn skip(&mut self, n: u64) {
        self.push(SKIP, n);
    }

    fn push(&mut self, kind: u8, n: u64) {
        match &mut self.open {
            _ if n == 0 => {}
            Some((open, so_far)) if *open == kind => *so_far += n,
            _ => {
                self.close();
                self.open = Some((kind, n));
            }
        }
    }

    /// What was kept or left out last is not added to any more.
    pub(super) fn close(&mut self) {
        if let Some((kind, n)) = self.open.take() {
            self.write(kind, n);
        }
    }

    fn write(&mut self, kind: u8, n: u64) {
        self.out.push(kind);
        self.out.extend_from_slice(&n.to_le_bytes());
    }

    /// Begins `n` new entries, which the caller then appends to what this returns.
    pub(super) fn items(&mut self, n: u64) -> &mut Vec<u8> {
        self.close();
        self.write(ITEMS, n);
        &mut self.out
    }

    /// Where the entries go on that were begun.
    pub(super) fn entries(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// How many bytes wait.
    pub(super) fn waiting(&self) -> usize {
        self.out.len() - self.taken
    }

    /// Moves at most `max` bytes to `out`.
    pub(super) fn take(&mut self, max: usize, out: &mut Vec<u8>) {
        let now = self.waiting().min(max);
        out.extend_from_slice(&self.out[self.taken..self.taken + now]);
        self.taken += now;
        if self.taken == self.out.len() {
            self.out.clear();
            self.taken = 0;
        }
    }
}
