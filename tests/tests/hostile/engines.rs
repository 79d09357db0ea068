//! Hostile components in the engine's place.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use strongroom::{Backup, Budgets, Depth, Repair, Repository, Restore, Sandbox};
use strongroom_tests::guests;

use crate::common::map::MapSink;
use crate::page::Place;
use crate::world::World;
use crate::{Attack, Seen, common};

const FINDS: [(&str, &str); 15] = [
    ("endless_loop", "a loop that calls nothing"),
    ("endless_recursion", "a function that calls itself without end"),
    ("memory_bomb", "all the memory there is"),
    ("huge_panic", "a panic with a message of ten million bytes"),
    ("trap", "the instruction `unreachable`"),
    ("error_flood", "stderr without end"),
    ("log_flood", "log messages and progress without end"),
    ("escapes", "sequences that terminals act on, on stderr and in an error"),
    ("outside_the_repository", "everything beside the one directory"),
    (
        "change_while_reading",
        "removing, moving and writing every file of the repository, its lock too, in a verb that reads",
    ),
    ("the_store_while_reading", "a database and a restore that the run was not granted"),
    ("a_name_that_is_a_path", "a snapshot called `../../etc/cron.d/x`"),
    ("a_name_for_the_terminal", "a snapshot whose name clears the screen"),
    ("an_id_that_is_none", "an id of a million bytes"),
    ("impossible_counts", "(no attack can be told) counts that are as large as numbers get"),
];

const BACKUPS: [(&str, &str); 4] = [
    ("four_thousand_million_parts", "a plan of 4,294,967,295 parts"),
    ("a_plan_of_a_hundred_million_bytes", "a list of a hundred million elements as a result"),
    (
        "a_name_that_is_a_path",
        "publishing a snapshot called `../../etc/cron.d/x`, from receipts that are noise",
    ),
    ("an_id_that_is_none", "publishing an id of a million bytes"),
];

const RESTORES: [(&str, &str); 6] = [
    ("create_twice", "the sink created twice"),
    ("two_writers", "two tables written at a time"),
    ("append_after_finish", "a writer used after it was finished"),
    ("finish_too_early", "the sink finished while a table is being written"),
    ("garbage", "entries that are noise"),
    ("say_done_and_do_nothing", "saying that all is restored, and restoring nothing"),
];

/// The repository, with the hostile engine.
fn repository(world: &World) -> Repository {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    let sandbox = SANDBOX.get_or_init(|| {
        let bytes = guests::component("strongroom-hostile", "hostile_engine.wasm").unwrap();
        let budgets = Budgets::default().memory(192 << 20).call_bytes(32 << 20).time(Duration::from_secs(1));
        common::builder().component(bytes).budgets(budgets).build().unwrap()
    });
    Repository::with_sandbox(world.at("backups"), sandbox.clone()).unwrap()
}

fn attack(tried: &'static str, run: impl Fn(&World) -> Seen + 'static) -> Attack {
    Attack { place: Place::Engine, tried, run: Box::new(run) }
}

fn seen<T: std::fmt::Debug>(result: strongroom::Result<T>) -> Seen {
    match result {
        Ok(answer) => Seen { text: format!("{answer:?}"), exit: 0 },
        Err(e) => Seen::of_error(&e),
    }
}

pub fn attacks() -> Vec<Attack> {
    let finds = FINDS.map(|(name, tried)| {
        attack(tried, move |world| {
            let found = repository(world).find(name);
            seen(found.map(|snapshot| format!("{} with {} entries", snapshot.name, snapshot.entries)))
        })
    });
    let backups = BACKUPS.map(|(name, tried)| {
        attack(tried, move |world| {
            seen(repository(world).backup(&world.store(), &Backup::new().name(name).threads(2)))
        })
    });
    let restores = RESTORES.map(|(name, tried)| {
        attack(tried, move |world| {
            let (sink, published) = MapSink::new();
            let restored = repository(world).restore_into(name, Box::new(sink), &Restore::new());
            assert!(published.lock().unwrap().is_none(), "ESCAPED: {name} published something");
            seen(restored)
        })
    });
    let others =
        [
            attack("a store whose error is eight million bytes for the terminal", |world| {
                let repository = repository(world);
                seen(repository.scan("any", "table", |_, _| Ok(std::ops::ControlFlow::Break(()))))
            }),
            attack("damage that is not there, in files that cannot be", |world| {
                let verified = repository(world).verify(None, Depth::Data);
                seen(verified.map(|verified| {
                    format!("{} snapshots, damage in {}", verified.snapshots, verified.damage.len())
                }))
            }),
            attack("a repair of files that cannot be, and losses that are none", |world| {
                let repaired = repository(world).repair(&Repair::new());
                seen(repaired.map(|repaired| {
                    format!("{} snapshots, {} lost", repaired.snapshots, repaired.lost.len())
                }))
            }),
            attack("a snapshot as a store, for a plugin or a backup", |world| {
                seen(repository(world).store("any").map(|_| "ESCAPED"))
            }),
        ];
    finds.into_iter().chain(backups).chain(restores).chain(others).collect()
}

#[test]
fn an_engine_that_ends_one_run_does_not_hold_up_the_next() {
    let world = World::new();
    let hostile = repository(&world);
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let hostile = hostile.clone();
            std::thread::spawn(move || hostile.find("endless_loop").unwrap_err().code())
        })
        .collect();
    // Beside them, as ever.
    let good = Arc::new(common::repository(world.at("backups")));
    assert_eq!(good.find("first").unwrap().name, "first");
    for task in tasks {
        assert_eq!(task.join().unwrap(), strongroom::ErrorCode::Budget);
    }
    assert_eq!(hostile.find("as good as any").unwrap().entries, 1);
}
