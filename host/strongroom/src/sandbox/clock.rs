//! The clocks that components see: enough for a program to run, and no more.
//!
//! The wall clock stands still at the moment the run began. The other runs from zero in coarse steps, so that it
//! measures no caches. Who waits is woken when the run is over, for the host cannot interrupt a call of its own.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::{HostWallClock, async_trait};

use super::state::State;
use crate::host::Grants;

/// What the clock that runs counts in.
const STEP: Duration = Duration::from_millis(10);

/// The wall clock: when the run began.
pub(super) struct Still(Duration);

impl Still {
    pub(super) fn now() -> Self {
        Self(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl HostWallClock for Still {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

/// The clock that runs, for one instance.
pub(super) struct Running<'s> {
    pub(super) began: Instant,
    pub(super) grants: &'s Arc<Grants>,
    pub(super) table: &'s mut ResourceTable,
}

pub(super) struct HasRunning;

impl HasData for HasRunning {
    type Data<'s> = Running<'s>;
}

impl Running<'_> {
    fn nanos(&self) -> u64 {
        let steps = self.began.elapsed().as_millis() / STEP.as_millis();
        u64::try_from(steps * STEP.as_nanos()).unwrap_or(u64::MAX)
    }

    fn wait(&mut self, nanos: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let until = Instant::now().checked_add(Duration::from_nanos(nanos));
        let wait = self.table.push(Wait { until, grants: Arc::clone(self.grants) })?;
        subscribe(self.table, wait)
    }
}

impl monotonic_clock::Host for Running<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.nanos())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(u64::try_from(STEP.as_nanos()).unwrap_or(u64::MAX))
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.wait(when.saturating_sub(self.nanos()))
    }

    fn subscribe_duration(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.wait(when)
    }
}

struct Wait {
    /// `None`: further away than the clock can say.
    until: Option<Instant>,
    grants: Arc<Grants>,
}

#[async_trait]
impl Pollable for Wait {
    /// Sleeps on the thread, which has nothing else to do: the timers of its runtime do not run while the runtime is
    /// only entered. Between steps others that are waited for have their turn.
    async fn ready(&mut self) {
        let mut asked_before = false;
        poll_fn(|context| {
            let left = self.until.map_or(STEP, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() || self.grants.meter.is_over() {
                return Poll::Ready(());
            }
            if asked_before {
                std::thread::sleep(left.min(STEP));
            }
            asked_before = true;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

/// Links both.
pub(super) fn link(linker: &mut wasmtime::component::Linker<State>) -> wasmtime::Result<()> {
    use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
    wall_clock::add_to_linker::<_, WasiClocks>(linker, State::clocks)?;
    monotonic_clock::add_to_linker::<_, HasRunning>(linker, State::running)
}
