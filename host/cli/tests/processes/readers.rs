//! Whoever reads, beside runs that write and take away.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::application::{Application, Model, POSITION, position};
use crate::place::Place;

/// What is read all the while; `{}` is a number of its own.
const READERS: [&str; 5] = [
    "snapshots --repo backups",
    "verify --read-data --repo backups",
    "restore kept restored-{}.redb --force --repo backups",
    "tables kept --repo backups",
    "cat kept pairs --repo backups",
];

#[test]
fn readers_beside_backups_forgets_and_prunes_miss_nothing() {
    let place = Place::empty();
    let application = Application::start(&place.path("app.redb"), "single");
    let backup = |name: &str| place.ok(&format!("backup app.redb --name {name} --position {POSITION}"));
    backup("kept");
    let kept = place.json("snapshots --repo backups")[0]["position"].as_u64().unwrap();
    let stop = AtomicBool::new(false);
    let rounds = [const { AtomicU32::new(0) }; READERS.len()];
    std::thread::scope(|scope| {
        for (number, args) in READERS.iter().enumerate() {
            let (place, stop, rounds) = (&place, &stop, &rounds);
            scope.spawn(move || {
                let args = args.replace("{}", &number.to_string());
                while !stop.load(Ordering::Relaxed) || rounds[number].load(Ordering::Relaxed) < 2 {
                    place.ok(&args);
                    rounds[number].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Also ends if this panics, or the readers would go on for ever.
        let _stop = Stop(&stop);
        let started = Instant::now();
        for round in 0.. {
            if started.elapsed() > Duration::from_secs(4) && round > 3 {
                break;
            }
            backup(&format!("round-{round}"));
            place.ok(&format!("forget round-{round} --repo backups"));
            place.ok("prune --max-unused 0 --repo backups");
        }
    });
    drop(application);
    let restored = place.path("restored-2.redb");
    assert_eq!(position(&restored), kept);
    Model::after(kept).check(&restored);
    println!("{rounds:?} rounds of readers");
    place.ok("verify --read-data --repo backups");
}

struct Stop<'s>(&'s AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
