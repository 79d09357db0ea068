//! The hostile suite: components that were written to do harm, run wherever a component can be run. What each of them
//! tried and what came of it is `docs/hostile.md`, which this suite writes:
//!
//! ```text
//! UPDATE_DOCS=1 cargo test --release -p strongroom-tests --test hostile
//! ```
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod broken;
mod callers;
mod engines;
mod page;
mod plugins;
mod policies;
mod text;
mod world;

use std::time::{Duration, Instant};

use strongroom::Landlock;

use page::Place;
use world::World;

/// One attack: what is tried, and how.
pub struct Attack {
    pub place: Place,
    /// For the page: what is tried.
    pub tried: &'static str,
    pub run: Box<dyn Fn(&World) -> Seen>,
}

/// What whoever ran the component sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub text: String,
    /// What the command exits with.
    pub exit: u8,
}

/// Within which every attack is contained, under a time budget of one second: what a busy machine takes to compile the
/// largest of them is in it.
pub const WITHIN: Duration = Duration::from_secs(60);

#[test]
fn every_attack_is_contained_and_the_page_says_how() {
    let landlock = Landlock::of_this_kernel();
    if landlock != Landlock::Enforced {
        assert!(std::env::var_os("CI").is_none(), "this kernel has no Landlock, and CI must have it");
        eprintln!("NOTE: this kernel has {landlock:?} Landlock, so only the runtime's wall is tested");
    }
    let world = World::new();
    let mut rows = Vec::new();
    let places = [plugins::attacks(), policies::attacks(), engines::attacks(), callers::attacks()];
    for attack in broken::attacks().into_iter().chain(places.into_iter().flatten()) {
        world.fill_data();
        let before = world.state();
        eprint!("{:?}, {}: ", attack.place, attack.tried);
        let started = Instant::now();
        let seen = (attack.run)(&world);
        let took = started.elapsed();
        let what = format!("{:?}, {}: {seen:?}", attack.place, attack.tried);
        eprintln!("{seen:?}, after {took:?}");
        assert!(!seen.text.contains("ESCAPED"), "{what}");
        assert!(!seen.text.chars().any(|c| c.is_control() && c != '\n'), "{what} reaches the terminal");
        assert!(took < WITHIN, "{what} took {took:?}");
        assert!(world.state() == before, "{what}: the database, the repository or a secret is harmed");
        rows.push((attack.place, attack.tried, seen));
    }
    world.assert_whole();
    page::compare(&rows, &world);
}

#[test]
fn with_the_kernels_wall_down_the_runtimes_holds_alone() {
    let world = World::new();
    for attack in plugins::ON_FILES {
        world.fill_data();
        let before = world.state();
        let seen = plugins::run_with(&world, attack, |builder| builder.landlock(false));
        assert!(!seen.text.contains("ESCAPED"), "{attack}: {seen:?}");
        assert!(world.state() == before, "{attack}");
    }
}
