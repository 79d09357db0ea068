//! SIGKILL at any moment of any verb that writes, beside the application at work.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use strongroom::{Depth, Repository, Restore, Sandbox};

use crate::application::{Application, Model, POSITION, position};
use crate::place::{Place, cache, lines, mix};
use crate::victim::{Ended, Moment, run, there_is};

/// Numbers that follow from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = mix(self.0);
        (self.0 >> 8) as usize % end.max(1)
    }
}

/// A verb that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verb {
    Backup,
    Restore,
    Forget,
    Prune,
}

struct World {
    place: Place,
    random: Random,
    application: Application,
    /// The same repository, for looking at it.
    repository: Repository,
    /// Reported, and not forgotten: where the application was.
    reported: BTreeMap<String, u64>,
    /// A run that was killed took them away, or did not.
    perhaps_gone: BTreeSet<String>,
    /// Those that have been restored once, and were what they should be.
    seen_whole: BTreeSet<String>,
    /// Positions that the restored file may have.
    restored: BTreeSet<u64>,
    runs: u64,
    durations: BTreeMap<Verb, Duration>,
    /// Where the kills were: verb, and what was to be seen of it afterwards.
    landed: BTreeMap<(Verb, &'static str), u64>,
}

impl World {
    fn new(seed: u64, mode: &str) -> Self {
        let place = Place::empty();
        let application = Application::start(&place.path("app.redb"), mode);
        let sandbox = Sandbox::builder().cache_dir(cache()).build().unwrap();
        let repository = Repository::with_sandbox(place.path("backups"), sandbox).unwrap();
        let mut world = Self {
            place,
            random: Random(seed),
            application,
            repository,
            reported: BTreeMap::new(),
            perhaps_gone: BTreeSet::new(),
            seen_whole: BTreeSet::new(),
            restored: BTreeSet::new(),
            runs: 0,
            durations: BTreeMap::new(),
            landed: BTreeMap::new(),
        };
        // How long each verb takes, and something that every verb can work on.
        for verb in [Verb::Backup, Verb::Backup, Verb::Backup, Verb::Restore, Verb::Forget, Verb::Prune] {
            assert!(!world.step(verb, &Moment::Never));
        }
        world
    }

    /// Runs a verb and kills it then; says whether that ended it. Afterwards all is as it was promised.
    fn step(&mut self, verb: Verb, moment: &Moment) -> bool {
        self.runs += 1;
        // What a killed run meant to forget is meant to be forgotten.
        let left =
            self.perhaps_gone.iter().find(|name| verb == Verb::Forget && self.is_listed(name)).cloned();
        let chosen = left.unwrap_or_else(|| {
            let at = self.random.below(self.reported.len());
            self.reported.keys().nth(at).cloned().unwrap_or_default()
        });
        let name = format!("run-{:05}", self.runs);
        let args = match verb {
            Verb::Backup => format!("backup app.redb --name {name} --position {POSITION} --json"),
            Verb::Restore => format!("restore {chosen} out.redb --force --json --repo backups"),
            Verb::Forget => format!("forget {chosen} --repo backups"),
            // The first backup may have been killed before it published.
            Verb::Prune => "prune --max-unused 0 --allow-empty --repo backups".to_owned(),
        };
        let ended = run(&self.place, &args, moment);
        let killed = ended.was_killed();
        let seen = if killed { self.seen(verb, &name) } else { "after its end" };
        *self.landed.entry((verb, seen)).or_default() += u64::from(!matches!(moment, Moment::Never));
        assert!(killed || ended.ran.code == Some(0), "{args}: {:?}", ended.ran);
        if !killed {
            self.durations.insert(verb, ended.took);
        }
        match verb {
            Verb::Backup => {
                if let Some(position) = reported(&ended) {
                    self.reported.insert(name, position);
                }
            }
            Verb::Restore => {
                let position = self.reported[&chosen];
                if killed {
                    self.restored.insert(position);
                } else {
                    self.restored = [position].into();
                }
            }
            Verb::Forget => {
                self.reported.remove(&chosen);
                if killed {
                    self.perhaps_gone.insert(chosen);
                } else {
                    assert!(!self.repository.snapshots().unwrap().snapshots.iter().any(|s| s.name == chosen));
                }
            }
            Verb::Prune => {}
        }
        self.check();
        killed
    }

    /// What a run that was killed had done, as far as its files tell.
    fn seen(&self, verb: Verb, name: &str) -> &'static str {
        let there = |path: &str| there_is(&self.place.path(path));
        let repo = "backups";
        let wrote = |dir: &str| there(&format!("{repo}/{dir}/tmp-"));
        match verb {
            Verb::Restore if there("out.redb.strongroom-partial") => "filling the new file",
            Verb::Restore => "before or after filling the new file",
            _ if !there(&format!("{repo}/lock")) => "without the lock",
            Verb::Forget => "under the lock",
            _ if wrote("packs") => "writing packs",
            _ if wrote("index") => "writing the index",
            _ if wrote("snapshots") => "about to publish",
            _ if there(&format!("{repo}/snapshots/{name}")) => "published, not yet reported",
            _ => "under the lock",
        }
    }

    /// Every snapshot that was reported is there; whatever is there is whole and is one moment of the application; the
    /// restored file is an old one or the new one.
    fn check(&mut self) {
        assert!(self.application.is_at_work());
        let listed = self.repository.snapshots().unwrap();
        assert!(listed.damage.is_empty(), "{:?}", listed.damage);
        let there: BTreeMap<&str, u64> =
            listed.snapshots.iter().map(|s| (s.name.as_str(), s.position.unwrap())).collect();
        for (name, position) in &self.reported {
            assert_eq!(there.get(name.as_str()), Some(position), "{name} was reported");
        }
        let verified = self.repository.verify(None, Depth::Data).unwrap();
        assert!(verified.damage.is_empty() && verified.warnings.is_empty(), "{verified:?}");
        // All were read and hashed; what is new is restored as well, and one of the others.
        let again = self.random.below(there.len());
        for (number, (name, position)) in there.into_iter().enumerate() {
            if number == again || !self.seen_whole.contains(name) {
                let path = self.place.path("look.redb");
                self.repository.restore(name, &path, &Restore::new().overwrite(true)).unwrap();
                Model::after(position).check(&path);
                self.seen_whole.insert(name.to_owned());
            }
            // One that was published and not reported is there from now on.
            if !self.perhaps_gone.contains(name) {
                self.reported.insert(name.to_owned(), position);
            }
        }
        let out = self.place.path("out.redb");
        if out.exists() {
            let position = position(&out);
            assert!(
                self.restored.contains(&position),
                "a file of {position}, not one of {:?}",
                self.restored
            );
            Model::after(position).check(&out);
            self.restored = [position].into();
        }
    }

    /// A verb at random; now and then a run is left alone, so that the next one is seen to succeed.
    fn random_step(&mut self) -> bool {
        let verb = match self.reported.len() {
            0 | 1 => Verb::Backup,
            many => match self.random.below(if many > 4 { 9 } else { 12 }) {
                0..3 => Verb::Restore,
                3..6 => Verb::Prune,
                6..9 if many > 2 => Verb::Forget,
                _ => Verb::Backup,
            },
        };
        let moment = match self.random.below(10) {
            0 => Moment::Never,
            1..6 => {
                let micros = self.durations[&verb].as_micros() as usize * 105 / 100;
                Moment::After(Duration::from_micros(self.random.below(micros) as u64))
            }
            _ => {
                let sights: &[&str] = match verb {
                    Verb::Backup => {
                        &["lock", "packs/tmp-", "index/tmp-", "snapshots/tmp-", "snapshots/run-N"]
                    }
                    Verb::Prune => &["lock", "packs/tmp-", "index/tmp-"],
                    Verb::Forget => &["lock"],
                    Verb::Restore => &["../out.redb.strongroom-partial"],
                };
                let sight = sights[self.random.below(sights.len())];
                let path = sight.replace('N', &format!("{:05}", self.runs + 1));
                let delay = Duration::from_micros(self.random.below(4000) as u64);
                Moment::Seeing(self.place.path("backups").join(path), delay)
            }
        };
        self.step(verb, &moment)
    }

    /// After one more backup and a prune, both left alone, nothing is there that no snapshot needs.
    fn end(mut self) {
        self.step(Verb::Backup, &Moment::Never);
        self.seen_whole.clear();
        self.step(Verb::Prune, &Moment::Never);
        let unfinished = |dir: &&&str| there_is(&self.place.path(dir).join("tmp-"));
        assert_eq!(
            ["backups", "backups/packs", "backups/index", "backups/snapshots"].iter().find(unfinished),
            None
        );
        let again = &self.place.json("prune --max-unused 0 --allow-empty --repo backups")[0];
        assert!(again["bytes_freed"] == 0 && again["bytes_unused"] == 0, "{again}");
        let names: Vec<&str> = self.reported.keys().chain(&self.perhaps_gone).map(String::as_str).collect();
        let names: Vec<&str> = names.into_iter().filter(|name| self.is_listed(name)).collect();
        self.place.ok(&format!("forget {} --allow-empty --repo backups", names.join(" ")));
        self.place.ok("prune --max-unused 0 --allow-empty --repo backups");
        let checks = self.place.path("backups/checks");
        let is_left = |path: &PathBuf| path.is_file() && !path.starts_with(&checks);
        let left: Vec<PathBuf> = self.place.files("backups").into_keys().filter(is_left).collect();
        assert_eq!(left, [self.place.path("backups/repository.json")]);
    }

    fn is_listed(&self, name: &str) -> bool {
        self.place.path(&format!("backups/snapshots/{name}.json")).exists()
    }
}

/// The position of the snapshot that a backup has reported.
fn reported(ended: &Ended) -> Option<u64> {
    let text = String::from_utf8_lossy(&ended.ran.stdout);
    let whole = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
    let line: Option<Value> = lines(whole).into_iter().find(|line| line["type"] == "snapshot");
    line.map(|line| line["position"].as_u64().unwrap())
}

/// Says with which seed the same runs are made again.
struct Seed(u64, &'static str);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was KILLS_SEED={} beside a writer in mode {:?}", self.0, self.1);
        }
    }
}

fn kill(kills: u64) {
    let given = std::env::var("KILLS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| mix(std::process::id().into()));
    let mut landed = BTreeMap::<_, u64>::new();
    let mut runs = 0;
    for mode in ["single", "multi"] {
        let _seed = Seed(seed, mode);
        let mut world = World::new(seed, mode);
        let mut done = 0;
        while done < kills / 2 {
            done += u64::from(world.random_step());
        }
        world.landed.iter().for_each(|(place, count)| *landed.entry(*place).or_default() += count);
        runs += world.runs;
        world.end();
    }
    let after_its_end: u64 =
        landed.iter().filter(|((_, seen), _)| *seen == "after its end").map(|(_, n)| n).sum();
    println!("{kills} runs were killed of {runs}; {after_its_end} kills came too late. Where they landed:");
    for ((verb, seen), count) in landed {
        println!("| {verb:?} | {seen} | {count} |");
    }
}

#[test]
fn a_killed_command_loses_nothing_beside_a_writer() {
    kill(60);
}

#[test]
#[ignore = "a quarter of an hour"]
fn a_thousand_killed_commands_lose_nothing_beside_a_writer() {
    kill(1000);
}
