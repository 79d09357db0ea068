//! Several runs at the same time, one operation at a time, in an order that follows from a number.

use std::sync::{MutexGuard, PoisonError};

use super::Disk;
use super::state::State;

/// Whose turn it is.
#[derive(Clone)]
pub(super) struct Turns {
    running: Vec<usize>,
    next: usize,
    seed: u64,
}

impl Turns {
    fn pass_on(&mut self) {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if let Some(at) = ((self.seed >> 33) as usize).checked_rem(self.running.len()) {
            self.next = self.running[at];
        }
    }
}

/// Ends a run's turns, also when it panics.
struct Leave(Disk);

impl Drop for Leave {
    fn drop(&mut self) {
        let mut state = self.0.my_turn();
        if let Some(turns) = &mut state.turns {
            turns.running.retain(|run| *run != self.0.run);
        }
        self.0.pass_on(state);
    }
}

impl Disk {
    /// Does all of this at the same time, each in a thread of its own; the seed decides whose operation is next.
    pub fn in_turns<J: Send, T: Send>(
        &self,
        seed: u64,
        jobs: Vec<J>,
        act: impl Fn(&Disk, J) -> T + Sync,
    ) -> Vec<T> {
        self.state().turns = Some(Turns { running: (0..jobs.len()).collect(), next: 0, seed });
        let act = &act;
        let done = std::thread::scope(|scope| {
            let start = |(run, job)| {
                let leave = Leave(Disk { shared: self.shared.clone(), run });
                scope.spawn(move || act(&leave.0, job))
            };
            let threads: Vec<_> = jobs.into_iter().enumerate().map(start).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, T>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect()
        });
        self.state().turns = None;
        done
    }

    /// Waits until this run may go on.
    pub(super) fn my_turn(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        while state.turns.as_ref().is_some_and(|turns| turns.next != self.run) {
            state = self.shared.turn.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    pub(super) fn pass_on(&self, mut state: MutexGuard<'_, State>) {
        if let Some(turns) = &mut state.turns {
            turns.pass_on();
            drop(state);
            self.shared.turn.notify_all();
        }
    }
}
