//! What belongs to one instance of a component, and its budgets.

use std::sync::Arc;
use std::time::Instant;

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::clock::{Running, Still};
use super::exceeded::{Exceeded, Stopped};
use super::limits::{Budgets, Limiter, Memory};
use crate::host::Grants;

/// What belongs to one instance.
pub(crate) struct State {
    pub(super) wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    limiter: Limiter,
    pub(crate) grants: Arc<Grants>,
    pub(crate) budgets: Budgets,
    began: Instant,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl State {
    /// Ends a run that is over.
    pub(crate) fn go_on(&self) -> wasmtime::Result<()> {
        let meter = &self.grants.meter;
        match meter.is_over() {
            true if meter.is_late() => Err(Exceeded::Time.into()),
            true => Err(Stopped.into()),
            false => Ok(()),
        }
    }

    pub(super) fn running(&mut self) -> Running<'_> {
        Running { began: self.began, grants: &self.grants, table: &mut self.table }
    }
}

/// A fresh store with all of its budgets. `memory` is shared with the other instances of the run.
pub(crate) fn store(
    engine: &Engine,
    interrupts: bool,
    wasi: &mut WasiCtxBuilder,
    grants: &Arc<Grants>,
    budgets: &Budgets,
    memory: &Memory,
) -> Store<State> {
    let mut table = ResourceTable::new();
    table.set_max_capacity(budgets.handles);
    let state = State {
        wasi: wasi.wall_clock(Still::now()).build(),
        table,
        limiter: Limiter::new(memory.clone(), budgets),
        grants: Arc::clone(grants),
        budgets: budgets.clone(),
        began: Instant::now(),
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(budgets.call_bytes);
    store.set_max_component_handles(budgets.handles);
    if interrupts {
        // At each tick of the clock, wherever the code is.
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|store| {
            store.data().go_on()?;
            Ok(UpdateDeadline::Continue(1))
        });
    }
    store
}
