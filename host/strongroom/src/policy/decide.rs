//! What a policy is asked during a backup.

use strongroom_order::{Made, arrange};

use super::bindings::admit;
use super::call::{Cost, ask, check_count, one_line};
use super::facts::{admit_snapshot, admit_table, made, select_table};
use super::{Decision, Policy};
use crate::model::{Snapshot, Table};
use crate::{Error, ErrorCode, Result};

/// What a policy said of a new snapshot.
pub(crate) struct Admission {
    pub(crate) accept: bool,
    pub(crate) reason: String,
}

impl Policy {
    /// Which tables to leave out.
    pub(crate) fn select(&self, source: &str, tables: &[strongroom_store::Table]) -> Result<Vec<String>> {
        let (verdicts, _) = self.ask_select(source, tables)?;
        for (table, (take, reason)) in tables.iter().zip(&verdicts) {
            tracing::debug!(policy = self.name(), table = table.name, take, reason, "table");
        }
        let out = tables.iter().zip(&verdicts).filter(|(_, (take, _))| !take);
        Ok(out.map(|(table, _)| table.name.clone()).collect())
    }

    pub(super) fn ask_select(
        &self,
        source: &str,
        tables: &[strongroom_store::Table],
    ) -> Result<(Vec<(bool, String)>, Cost)> {
        let pre = self.compiled().selector.as_ref().ok_or_else(|| self.lacks(Decision::Select))?;
        let shown: Vec<_> = tables.iter().map(select_table).collect();
        let (verdicts, cost) = ask(self, tables.len(), |store| {
            let policy = pre.instantiate(&mut *store)?;
            policy.strongroom_policy_select().call_select(store, self.settings(), source, &shown)
        })?;
        check_count(self, "tables", verdicts.len(), tables.len())?;
        Ok((verdicts.into_iter().map(|verdict| (verdict.take, one_line(&verdict.reason))).collect(), cost))
    }

    /// Whether a new snapshot may be published.
    pub(crate) fn admit(
        &self,
        new: &Snapshot,
        tables: &[Table],
        earlier: &[Snapshot],
        tables_before: Option<&[Table]>,
    ) -> Result<Admission> {
        self.ask_admit(new, tables, earlier, tables_before).map(|(admission, _)| admission)
    }

    pub(super) fn ask_admit(
        &self,
        new: &Snapshot,
        tables: &[Table],
        earlier: &[Snapshot],
        tables_before: Option<&[Table]>,
    ) -> Result<(Admission, Cost)> {
        let pre = self.compiled().admitter.as_ref().ok_or_else(|| self.lacks(Decision::Admit))?;
        let made: Vec<Made<'_>> = earlier.iter().chain([new]).map(made).collect();
        let mut at: Vec<u64> = made.iter().map(|made| made.time).collect();
        for placed in arrange(&made, None) {
            at[placed.index] = placed.at.unwrap_or(at[placed.index]);
        }
        let shown = earlier.iter().zip(&at).map(|(snapshot, at)| admit_snapshot(snapshot, *at, self.zone()));
        let candidate = admit::Candidate {
            new: admit_snapshot(new, at[earlier.len()], self.zone()),
            tables: tables.iter().map(admit_table).collect(),
            earlier: shown.collect(),
            tables_before: tables_before.map(|tables| tables.iter().map(admit_table).collect()),
        };
        let items = tables.len() + earlier.len() + tables_before.map_or(0, <[Table]>::len);
        let (verdict, cost) = ask(self, items, |store| {
            let policy = pre.instantiate(&mut *store)?;
            policy.strongroom_policy_admit().call_admit(store, self.settings(), &candidate)
        })?;
        Ok((Admission { accept: verdict.accept, reason: one_line(&verdict.reason) }, cost))
    }

    pub(super) fn lacks(&self, decision: Decision) -> Error {
        Error::new(ErrorCode::Invalid, format!("policy {} does not export {decision}", self.name()))
    }
}
