//! On Linux the command confines itself once it has opened what it needs.
#![cfg(target_os = "linux")]

use crate::place::Place;

fn confined(place: &Place, args: &str) -> Option<String> {
    let ran = place.run(&format!("{args} -v"));
    assert_eq!(ran.code, Some(0), "{args}: {ran:?}");
    ran.stderr.lines().find(|line| line.contains("the command is confined")).map(str::to_owned)
}

#[test]
fn each_verb_keeps_the_directories_that_it_needs_and_no_others() {
    if strongroom::Landlock::of_this_kernel() != strongroom::Landlock::Enforced {
        assert!(std::env::var_os("CI").is_none(), "this kernel has no Landlock, and CI must have it");
        eprintln!("SKIPPED: this kernel has no Landlock");
        return;
    }
    let place = Place::small();
    std::fs::create_dir(place.path("out")).unwrap();
    std::fs::create_dir(place.path("scratch")).unwrap();
    let shown = |name: &str| format!("{:?}", place.path(name));
    for (args, read, write) in [
        // The repository is not there yet.
        ("backup app.redb --name a", vec![], vec!["."]),
        ("backup app.redb --name b", vec![], vec!["backups"]),
        ("snapshots", vec!["backups"], vec![]),
        ("get latest accounts account-0001", vec!["backups"], vec![]),
        ("cat latest accounts", vec!["backups"], vec![]),
        ("verify --read-data", vec!["backups"], vec!["backups/checks"]),
        ("verify --against app.redb", vec!["backups"], vec![]),
        ("restore latest out/app.redb", vec!["backups"], vec!["out"]),
        ("drill --dir scratch", vec!["backups"], vec!["scratch", "backups/checks"]),
        ("report", vec!["backups"], vec![]),
        ("report --html out/report.html --keep-last 1", vec!["backups"], vec!["out"]),
        ("forget a --prune", vec![], vec!["backups"]),
        ("prune", vec![], vec!["backups"]),
        ("repair", vec![], vec!["backups"]),
    ] {
        let said = confined(&place, args).unwrap_or_else(|| panic!("{args} is not confined"));
        let list = |dirs: &[&str]| {
            let dirs: Vec<String> = dirs
                .iter()
                .map(|dir| shown(dir).trim_end_matches("/.\"").trim_end_matches('"').to_owned() + "\"")
                .collect();
            format!("[{}]", dirs.join(", "))
        };
        assert!(said.contains(&format!("read={}", list(&read))), "{args}: {said}");
        assert!(said.contains(&format!("write={}", list(&write))), "{args}: {said}");
    }
    assert_eq!(confined(&place, "snapshots --no-landlock"), None);
}
