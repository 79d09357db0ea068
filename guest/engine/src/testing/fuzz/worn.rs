//! A small repository, damaged in any way, that is worked with as if nothing were wrong.

use super::history::{backup, job};
use super::input::Input;
use super::repair::{blow, history, restorable, source};
use crate::testing::{MemoryVault, backup_with_deltas};
use crate::{Code, Prune, Silent};

/// Nobody repairs: backups, forgets and prunes go on after each piece of damage.
///
/// None of them takes away what could be restored before it, but for what is forgotten, and nothing comes back wrong.
pub fn worn(data: &[u8]) {
    let mut input = Input(data);
    let vault = MemoryVault::default();
    let mut made = history(&mut input, &vault);
    for number in 0..2 + input.below(8) as u64 {
        if input.coin() {
            blow(&mut input, &vault);
        }
        let mut could = restorable(&vault, &made);
        let did = match input.below(6) {
            0 => {
                let gone = made.keys().nth(input.below(made.len())).cloned();
                if let Some(gone) = gone
                    && crate::forget(&vault, std::slice::from_ref(&gone), true).is_ok()
                {
                    made.remove(&gone);
                    could.retain(|(name, _), _| *name != gone);
                }
                "forget".to_owned()
            }
            1 => {
                let max_unused = [0, 0, 100, 1000][input.below(4)];
                let prune = Prune { max_unused, dry_run: false, allow_empty: true };
                format!("{:?}", crate::prune(&vault, prune, &Silent).map_err(|e| e.code))
            }
            how => {
                let at = usize::from(input.rarely(3));
                let Some(mut store) =
                    made.values().rfind(|(job, _)| job.source == source(at)).map(|(_, store)| store.clone())
                else {
                    continue;
                };
                if how == 2
                    && let Some(table) = store.tables.values_mut().next()
                    && let Some(entry) = table.entries.first_mut()
                {
                    entry.1 = number.to_le_bytes().to_vec();
                }
                let mut job = job(format!("n{number}"), at, 100 + number, 1 + input.below(3) as u32);
                job.full_scan = how > 3;
                job.folding.files = 2 + input.below(4) as u32;
                let done = if how == 5 {
                    backup(&vault, &store, &job)
                } else {
                    backup_with_deltas(&vault, &store, &job)
                };
                match done {
                    Ok(_) => {
                        made.insert(job.name.clone(), (job, store));
                        "backup".to_owned()
                    }
                    Err(e) => {
                        let refused =
                            matches!(e.code, Code::NoRepository | Code::Damaged | Code::NewerFormat);
                        assert!(refused, "{e:?}");
                        format!("{e:?}")
                    }
                }
            }
        };
        let can = restorable(&vault, &made);
        for (at, entries) in &could {
            assert!(can.get(at) == Some(entries), "step {number}, {did}: {at:?} is gone");
        }
        for ((name, table), restored) in &can {
            assert!(made[name].1.tables.get(table) == Some(restored), "{table} of {name} is wrong");
        }
    }
}
