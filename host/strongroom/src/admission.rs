//! What a policy decides during a backup, and what becomes of it when it cannot.

use crate::backup::Backup;
use crate::host::Grants;
use crate::model::{Snapshot, Table};
use crate::policy::{Decision, Policy};
use crate::repository::Repository;
use crate::sandbox::{Instance, wit};
use crate::{Error, ErrorCode, Result};

impl Repository {
    /// The tables that the policy leaves out; none if it takes no such decision, or fails.
    pub(crate) fn left_out(&self, backup: &Backup, source: &str, grants: &Grants) -> Result<Vec<String>> {
        let (Some(policy), Some(store)) = (asked(backup, Decision::Select), &grants.store) else {
            return Ok(Vec::new());
        };
        let tables = store.tables().map_err(|e| grants.of_database(e))?;
        let leave_out = match policy.select(source, &tables) {
            Ok(leave_out) => leave_out,
            Err(e) if e.code() == ErrorCode::Io => return Err(not_asked(&e)),
            Err(e) => {
                self.warn(&format!("{e}; all tables are backed up"));
                return Ok(Vec::new());
            }
        };
        if leave_out.len() == tables.len() && !tables.is_empty() {
            let message =
                format!("policy {} leaves out every table, so there is nothing to back up", policy.name());
            return Err(Error::new(ErrorCode::Refused, message));
        }
        Ok(leave_out)
    }

    /// Fails if the policy refuses what is about to be published. One that fails refuses nothing: whatever is wrong with
    /// it must not keep backups from being made.
    pub(crate) fn admit(&self, backup: &Backup, engine: &mut Instance, draft: &wit::Draft) -> Result<()> {
        let Some(policy) = asked(backup, Decision::Admit) else { return Ok(()) };
        let new = Snapshot::from(draft.snapshot.clone());
        let facts = facts(engine, draft, &new.source)?;
        match policy.admit(&new, &facts.tables, &facts.earlier, facts.tables_before.as_deref()) {
            Ok(admission) if admission.accept => {
                tracing::debug!(policy = policy.name(), reason = admission.reason, "accepted");
                Ok(())
            }
            Ok(admission) if backup.accepts() => {
                let (policy, reason) = (policy.name(), admission.reason);
                self.warn(&format!(
                    "policy {policy} refuses snapshot {}: {reason}; accepted on request",
                    new.name
                ));
                Ok(())
            }
            Ok(admission) => Err(Error::new(
                ErrorCode::Refused,
                format!(
                    "policy {} refuses snapshot {}: {}. Nothing was published, earlier snapshots are as they were; if it \
                     is meant to be so, publish it with --accept",
                    policy.name(),
                    new.name,
                    admission.reason
                ),
            )),
            Err(e) if e.code() == ErrorCode::Io => Err(not_asked(&e)),
            Err(e) if matches!(e.code(), ErrorCode::Cancelled | ErrorCode::Unsupported) => Err(e),
            Err(e) => {
                self.warn(&format!("{e}; snapshot {} is published without its consent", new.name));
                Ok(())
            }
        }
    }
}

/// A policy that was not asked has not consented, and what is wrong is not the policy.
fn not_asked(e: &Error) -> Error {
    let message =
        format!("{e}. Nothing was published, and what was written is used again by the next backup");
    Error::new(ErrorCode::Unsupported, message)
}

/// The policy, if it takes this decision.
fn asked(backup: &Backup, decision: Decision) -> Option<&Policy> {
    backup.asks().filter(|policy| policy.decides(decision))
}

/// What an admission is decided on.
struct Facts {
    tables: Vec<Table>,
    earlier: Vec<Snapshot>,
    tables_before: Option<Vec<Table>>,
}

fn facts(engine: &mut Instance, draft: &wit::Draft, source: &str) -> Result<Facts> {
    let models = |tables: Vec<wit::Table>| tables.into_iter().map(Table::from).collect::<Vec<_>>();
    let tables = engine.call(|engine, store| engine.call_draft_tables(store, draft))?;
    let (earlier, _) = engine.call(|engine, store| engine.call_snapshots(store))?;
    let earlier: Vec<Snapshot> =
        earlier.into_iter().map(Snapshot::from).filter(|snapshot| snapshot.source == source).collect();
    let tables_before = match earlier.last() {
        None => None,
        Some(before) => match engine.call(|engine, store| engine.call_tables(store, &before.name)) {
            Ok(tables) => Some(models(tables)),
            Err(e) => {
                tracing::warn!("the tables of snapshot {} cannot be compared: {e}", before.name);
                None
            }
        },
    };
    Ok(Facts { tables: models(tables), earlier, tables_before })
}
