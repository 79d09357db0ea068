//! What the steps of a backup pass to each other, from a caller that is not to be trusted.

use super::database::Database;
use super::history::{backup, job, tells};
use super::input::Input;
use crate::backup::{checksum, draft_tables};
use crate::error::Code;
use crate::testing::{MemoryVault, Restored, RestoringSink, verify};
use crate::{Depth, Job, Prune, Silent, Sink};

/// A backup whose plan, receipts and draft are changed on their way, left out, doubled, exchanged or made up, all with
/// checksums that are right; and what becomes of the repository.
///
/// Whatever comes: no panic, nothing is written where it does not belong, what was there before is whole, and the next
/// backups are, which scan.
pub fn protocol(data: &[u8]) {
    let mut input = Input(data);
    let vault = MemoryVault::default();
    let mut database = Database::default();
    (0..1 + input.below(3)).for_each(|_| database.edit(&mut input));
    let mut before = database.store();
    before.tells = tells(&mut input);
    backup(&vault, &before, &job("before".into(), 0, 1, 2)).expect("memory takes everything");
    (0..input.below(3)).for_each(|_| database.edit(&mut input));
    let mut store = database.store();
    store.tells = tells(&mut input);

    let told = run(&mut input, &vault, &store);
    assert_belongs(&vault);
    assert_is(&vault, "before", &before.tables);
    // It may be anything, but it can be looked at.
    verify(&vault, None, Depth::Data, &Silent).expect("memory is read");
    if told {
        assert_is(&vault, "new", &store.tables);
    }

    for (number, full_scan) in [(0, true), (1, false)] {
        let name = format!("next {number}");
        let job = Job { full_scan, ..job(name.clone(), number, 9, 2) };
        let made = backup(&vault, &store, &job).expect("whatever was there, a backup is made");
        let first = backup(&MemoryVault::default(), &store, &job).expect("memory takes everything");
        assert_eq!(made.id, first.id, "the history shows in the id");
        assert_is(&vault, &name, &store.tables);
    }
    match crate::prune(&vault, Prune { max_unused: 0, dry_run: false, allow_empty: true }, &Silent) {
        Err(e) => assert!(e.code == Code::Damaged, "{e:?}"),
        Ok(_) => ["before", "next 0", "next 1"].iter().for_each(|name| {
            let tables = if *name == "before" { &before.tables } else { &store.tables };
            assert_is(&vault, name, tables);
        }),
    }
    assert_belongs(&vault);
}

/// The steps, as the input wants them; whether they were what they should be.
fn run(input: &mut Input<'_>, vault: &MemoryVault, store: &dyn crate::Store) -> bool {
    let parts = 1 + input.below(4) as u32;
    let Ok(plan) = crate::prepare(vault, store, &job("new".into(), 0, 2, parts), &Silent) else {
        panic!("an undisturbed plan is made");
    };
    let mut told = true;
    let state = change(input, "plan", &plan.state, &mut told);
    let mut receipts = Vec::new();
    for part in 0..plan.parts {
        let asked = if input.rarely(16) { input.u8().into() } else { part };
        told &= asked == part;
        match crate::copy(vault, store, &state, asked, &Silent) {
            Ok(receipt) => receipts.push(change(input, "receipt", &receipt, &mut told)),
            Err(e) => {
                assert!(e.message.len() > 10, "{e:?}");
                told = false;
            }
        }
    }
    if input.rarely(8) && !receipts.is_empty() {
        told = false;
        let (a, b) = (input.below(receipts.len()), input.below(receipts.len()));
        match input.below(3) {
            0 => receipts.swap(a, b),
            1 => drop(receipts.remove(a)),
            _ => receipts.insert(a, receipts[b].clone()),
        }
    }
    let state = change(input, "plan", &state, &mut told);
    let draft = match crate::seal(vault, store, &state, &receipts, &Silent) {
        Ok(draft) => draft,
        Err(e) => {
            assert!(!told && e.message.len() > 10, "{e:?}");
            return false;
        }
    };
    let state = change(input, "draft", &draft.state, &mut told);
    let tables = draft_tables(vault, &state);
    let published = crate::publish(vault, &state);
    assert!(!told || (tables.is_ok() && published.is_ok()), "{published:?}");
    told
}

/// The same bytes, or others, with the checksum that they must have.
fn change(input: &mut Input<'_>, what: &str, bytes: &[u8], told: &mut bool) -> Vec<u8> {
    let mut body = bytes.get(8..).unwrap_or_default().to_vec();
    for _ in 0..[0, 0, 0, 1, 2, 3][input.below(6)] {
        *told = false;
        let at = usize::from(input.u16()) % (body.len() + 1);
        match input.below(6) {
            0 => body.truncate(at),
            1 => body.insert(at, input.u8()),
            2 => {
                let len = input.below(24);
                body.splice(at..at, input.bytes(len).iter().copied());
            }
            3 => drop(body.drain(at..(at + input.below(40)).min(body.len()))),
            4 => {
                // The greatest number, as it is encoded.
                let end = (at + 1).min(body.len());
                body.splice(at..end, [255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
            }
            _ => {
                if let Some(byte) = body.get_mut(at) {
                    *byte = input.u8();
                }
            }
        }
    }
    if input.rarely(32) {
        *told = false;
        let len = usize::from(input.u8());
        return input.bytes(len).to_vec();
    }
    [&checksum(what, &body).to_le_bytes(), &body[..]].concat()
}

/// Nothing lies where nothing should.
fn assert_belongs(vault: &MemoryVault) {
    for path in vault.paths() {
        let name = path.split_once('/').map_or("", |(_, name)| name);
        let hex = |name: &str| crate::id::Id::from_hex(name).is_some();
        let belongs = match path.split_once('/').map(|(dir, _)| dir) {
            None => path == "repository.json" || path.starts_with("tmp-"),
            Some("packs") => hex(name) || name.starts_with("tmp-"),
            Some("index") => {
                hex(name) || name == "newest" || name.starts_with("lost-") || name.starts_with("tmp-")
            }
            Some("snapshots") => !name.contains('/') && (name.ends_with(".json") || name.starts_with("tmp-")),
            Some(_) => false,
        };
        assert!(belongs, "{path:?} was written");
    }
}

fn assert_is(vault: &MemoryVault, name: &str, tables: &Restored) {
    let verified = verify(vault, Some(name), Depth::Data, &Silent).expect("memory is read");
    assert!(verified.damage.is_empty(), "{:?}", verified.damage);
    let mut restored = Restored::new();
    let into = &mut restored;
    let damage = crate::restore(vault, name, None, false, &Silent, move |_| {
        Ok(Box::new(RestoringSink::new(into)) as Box<dyn Sink>)
    });
    assert!(damage.expect("what is listed is restored").is_empty());
    assert!(restored == *tables, "{name} gave back something else");
}
