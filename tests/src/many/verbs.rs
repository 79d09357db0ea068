//! Every verb of the command, in an order in which each finds something to do.

/// A run of the command, in a directory with `app.redb`.
pub struct Verb {
    /// What it is called in a report.
    pub what: &'static str,
    /// Its arguments, between spaces.
    pub args: &'static str,
    /// Whether a row of the database changes before.
    pub changes: bool,
    /// What it ends with: 12 where snapshots cannot be read.
    pub code: i32,
}

const fn verb(what: &'static str, args: &'static str) -> Verb {
    Verb { what, args, changes: false, code: 0 }
}

/// Over a database of many tables, from the first backup on.
pub fn over_tables() -> Vec<Verb> {
    let changed = |what, args| Verb { changes: true, ..verb(what, args) };
    // SQLite itself reads the list of all its tables for each that it makes.
    vec![
        verb("backup, first", "backup app.redb --name first"),
        verb("backup, nothing changed", "backup app.redb --name second"),
        changed("backup, one row changed", "backup app.redb --name third"),
        changed("backup, full scan", "backup app.redb --name fourth --full-scan"),
        verb("backup, some tables", "backup app.redb --source some --name some --table table-0000*"),
        verb("backup -vv", "-vv backup app.redb --name fifth"),
        verb("snapshots", "snapshots"),
        verb("snapshots latest", "snapshots latest"),
        verb("tables", "tables latest"),
        verb("verify", "verify"),
        verb("verify, one snapshot", "verify latest"),
        verb("verify, a sample", "verify --sample 10%"),
        verb("verify --read-data", "verify --read-data"),
        verb("verify --against", "verify fourth --against app.redb"),
        verb("restore", "restore fourth restored.redb"),
        verb(
            "restore --to-sqlite, 1,000 tables",
            "restore fourth restored.sqlite --to-sqlite --table table-000*",
        ),
        verb("restore --to-jsonl", "restore fourth restored.jsonl --to-jsonl"),
        verb("drill", "drill"),
        verb("diff", "diff first fourth"),
        verb("diff --keys", "diff first fourth --keys"),
        verb("diff with the database", "diff fourth restored.redb"),
        verb("get", "get fourth table-000000 0"),
        verb("cat", "cat fourth table-000000"),
        verb("export", "export fourth app.archive"),
        verb("import", "import app.archive --repo other"),
        verb("restore --archive", "restore --archive app.archive again.redb"),
        verb("run, over the database", "run plugin.wasm --store app.redb"),
        verb("run, over a snapshot", "run plugin.wasm --snapshot fourth"),
        verb("repair", "repair"),
        verb("policy check", "policy check --repo backups"),
        verb("forget, by rules", "forget --keep-last 2"),
        verb("prune --dry-run", "prune --dry-run --max-unused 0%"),
        verb("prune", "prune --max-unused 0%"),
        verb("report --html", "report --html report.html"),
        verb("report --json", "report --json"),
    ]
}

/// Over a repository of many snapshots, which is there; with `unreadable`, some of the files cannot be read.
pub fn over_snapshots(unreadable: bool) -> Vec<Verb> {
    let looks = |what, args| Verb { code: if unreadable { 12 } else { 0 }, ..verb(what, args) };
    let mut verbs = vec![
        looks("snapshots", "snapshots"),
        looks("snapshots --json", "snapshots --json"),
        verb("backup", "backup app.redb --source source-0000 --name new"),
        verb("backup, nothing changed", "backup app.redb --source source-0000 --name newer"),
        verb("backup, another source", "backup app.redb --source other --name other"),
        verb("tables", "tables latest"),
        looks("verify", "verify"),
        looks("verify --read-data", "verify --read-data"),
        verb("restore", "restore latest restored.redb"),
        verb("drill", "drill"),
        verb("diff", "diff new latest"),
        verb("export", "export latest app.archive"),
        verb("import", "import app.archive --name imported"),
        verb("run, over a snapshot", "run plugin.wasm --snapshot latest"),
        looks("report --html", "report --html report.html --keep-daily 7 --keep-monthly 24"),
        looks("report --json", "report --json"),
        looks("repair", "repair"),
    ];
    if !unreadable {
        verbs.extend([
            verb("forget --dry-run", "forget --keep-daily 7 --keep-monthly 24 --dry-run"),
            verb("forget, by rules", "forget --keep-daily 7 --keep-monthly 24"),
            verb("prune --dry-run", "prune --dry-run"),
            verb("prune", "prune"),
        ]);
    }
    verbs
}
