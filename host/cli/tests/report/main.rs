//! The report's page in a real browser: Debian's `chromium`, or another that `CHROMIUM` names. Where there is none, the
//! tests say so and pass; where `CI` is set, they fail.
//!
//! What it looks like is left in `target/tmp/report/*.png`, to be looked at.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "../command/place.rs"]
#[allow(dead_code)]
mod place;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use place::{ACCOUNTS, Place};
use redb::{Database, TableDefinition};
use serde_json::Value;
use strongroom_tests::copies::copy_snapshot;
use strongroom_tests::tools::tool;

const WIDTHS: [u32; 3] = [360, 768, 1280];
const LOOK: &str = include_str!("look.js");

/// The browser, for a run that leaves nothing and asks nobody.
struct Browser(OsString);

/// As somebody set his system.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Dark,
    Light,
}

impl Browser {
    fn new() -> Option<Self> {
        let program = std::env::var_os("CHROMIUM").unwrap_or_else(|| "chromium".into());
        tool(Command::new(&program).arg("--version"))?;
        Some(Self(program))
    }

    fn run(&self, scheme: Scheme, args: &[&str], page: &Path) -> Vec<u8> {
        let own = tempfile::tempdir().unwrap();
        let mut command = Command::new("timeout");
        command.arg("120").arg(&self.0).args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
        ]);
        command.arg(format!("--user-data-dir={}", own.path().display()));
        let number = if scheme == Scheme::Dark { 0 } else { 1 };
        command.arg(format!("--blink-settings=preferredColorScheme={number}"));
        let ran = command.args(args).arg(format!("file://{}", page.display())).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        ran.stdout
    }

    /// What it makes of a page, at each width.
    fn look(&self, page: &str, scheme: Scheme) -> Vec<Value> {
        let dir = tempfile::tempdir().unwrap();
        let frames: String = WIDTHS.iter().map(|width| frame(page, *width, 900)).collect();
        let around = dir.path().join("around.html");
        let text =
            format!("<!DOCTYPE html><meta charset=utf-8><pre id=seen></pre>{frames}<script>{LOOK}</script>");
        fs::write(&around, text).unwrap();
        let document = String::from_utf8(self.run(scheme, &["--dump-dom"], &around)).unwrap();
        let seen = document.split("<pre id=\"seen\">").nth(1).unwrap().split("</pre>").next().unwrap();
        let seen =
            seen.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}").replace("&amp;", "&");
        serde_json::from_str(&seen).unwrap_or_else(|e| panic!("{e}: {seen}"))
    }

    /// A picture of a page, for people.
    fn picture(&self, name: &str, page: &str, scheme: Scheme, (width, height): (u32, u32)) {
        let dir = tempfile::tempdir().unwrap();
        let around = dir.path().join("around.html");
        // A window is never as narrow as a phone; a frame can be.
        fs::write(&around, format!("<!DOCTYPE html><body style=margin:0>{}", frame(page, width, height)))
            .unwrap();
        let to = pictures().join(format!("{name}.png"));
        let args = [format!("--screenshot={}", to.display()), format!("--window-size={width},{height}")];
        self.run(scheme, &args.each_ref().map(String::as_str), &around);
        assert!(fs::read(&to).unwrap().starts_with(b"\x89PNG"));
    }
}

/// The page in a frame of its own, so wide.
fn frame(page: &str, width: u32, height: u32) -> String {
    let page = page.replace('&', "&amp;").replace('"', "&quot;");
    format!(
        "<iframe style=\"border:0;width:{width}px;height:{height}px;display:block\" srcdoc=\"{page}\"></iframe>"
    )
}

fn pictures() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Of a repository in this place.
fn report(place: &Place, args: &str) -> String {
    // Damage is an exit code, and the page is there all the same.
    place.run(&format!("report --html report.html {args}"));
    fs::read_to_string(place.path("report.html")).unwrap()
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// A place with a database of two weeks: a backup a day, and a little more in it each time.
fn two_weeks() -> Place {
    let place = Place::new();
    place.ok("backup app.redb --name first --source app");
    copy_snapshot(
        &place.path("backups"),
        "first",
        (0..13).map(|day| (format!("app-day-{day:02}"), now() - 86_400 * (13 - day) - 1800)),
    );
    place.ok("forget first");
    for i in 0..3 {
        let db = Database::open(place.path("app.redb")).unwrap();
        let txn = db.begin_write().unwrap();
        for j in 0..300 * (i + 1) {
            txn.open_table(ACCOUNTS).unwrap().insert(format!("new-{i}-{j}").as_str(), j).unwrap();
        }
        txn.commit().unwrap();
        drop(db);
        place.ok(&format!("backup app.redb --source app --name app-today-{i}"));
    }
    place
}

/// Whatever a page is about, this holds.
fn assert_sound(seen: &[Value]) {
    for seen in seen {
        let none = |what: &str| assert_eq!(seen[what], serde_json::json!([]), "{what} at {}", seen["width"]);
        assert_eq!(seen["width"], seen["scrollWidth"], "it can be moved sideways");
        none("outside");
        none("unmarked");
        for what in ["foreign", "handlers", "requests", "small", "captionless", "nameless"] {
            assert_eq!(seen[what], 0, "{what} at {}", seen["width"]);
        }
        assert_eq!(seen["taken"], "no");
        let headings = seen["headings"].as_str().unwrap();
        assert!(headings.starts_with("H1 H2") && headings.matches("H1").count() == 1, "{headings}");
        assert!(seen["stops"].as_u64().unwrap() > 8, "{seen}");
        assert!(seen["title"].as_str().unwrap().ends_with("/backups: backups"), "{}", seen["title"]);
    }
}

/// One browser at a time: a machine may be small.
fn browser() -> Option<std::sync::MutexGuard<'static, Option<Browser>>> {
    static BROWSER: OnceLock<std::sync::Mutex<Option<Browser>>> = OnceLock::new();
    let one = BROWSER.get_or_init(|| Browser::new().into()).lock();
    Some(one.unwrap_or_else(std::sync::PoisonError::into_inner)).filter(|one| one.is_some())
}

#[test]
fn it_is_readable_at_any_width_in_light_and_in_dark() {
    let Some(browser) = browser() else { return };
    let browser = browser.as_ref().unwrap();
    let place = two_weeks();
    place.ok("verify --read-data");
    place.ok("drill");
    let page = report(&place, "--keep-daily 7");
    let (light, dark) = (browser.look(&page, Scheme::Light), browser.look(&page, Scheme::Dark));
    assert_sound(&light);
    assert_sound(&dark);
    assert_eq!(light[0]["background"], "rgb(246, 245, 242)");
    assert_eq!(dark[0]["background"], "rgb(20, 23, 27)");
    assert!(light[0]["drawn"].as_u64().unwrap() > 10);
    for (name, scheme, size) in [
        ("light", Scheme::Light, (1100, 3400)),
        ("dark", Scheme::Dark, (1100, 3400)),
        ("phone-light", Scheme::Light, (360, 5200)),
        ("phone-dark", Scheme::Dark, (360, 5200)),
    ] {
        browser.picture(name, &page, scheme, size);
    }
}

#[test]
fn hostile_names_are_text_to_a_browser_too() {
    let Some(browser) = browser() else { return };
    let browser = browser.as_ref().unwrap();
    let place = Place::small();
    let db = Database::open(place.path("app.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    let mut hostile = vec![
        "<script>window.taken = 1; parent.taken = 1</script>".to_owned(),
        "\"><img src=x onerror=\"parent.taken = 1\">".to_owned(),
        "<svg onload=parent.taken=1>".to_owned(),
        "</style></title></svg></table><iframe srcdoc='<script>parent.taken=1</script>'>".to_owned(),
        "<!--".to_owned(),
        "&#60;b&#62;".to_owned(),
        "' autofocus onfocus='parent.taken=1".to_owned(),
        "<base href=//example.invalid/><link rel=stylesheet href=x>".to_owned(),
    ];
    for name in hostile.iter().chain([&"\u{202e}desrever\0\u{1b}".to_owned(), &"w".repeat(60_000)]) {
        txn.open_table(TableDefinition::<&str, u64>::new(name)).unwrap().insert("a", 1).unwrap();
    }
    txn.commit().unwrap();
    drop(db);
    let args = [
        "backup",
        "app.redb",
        "--name",
        "<script>parent.taken=1",
        "--source",
        "<img src=x onerror=parent.taken=1>",
    ];
    assert!(place.command(args).output().unwrap().status.success());
    let page = report(&place, "--keep-last 1");
    let seen = browser.look(&page, Scheme::Light);
    assert_sound(&seen);
    let shown: Vec<String> =
        seen[0]["tables"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    hostile.push("\\u{202e}desrever\\u{0}\\u{1b}".to_owned());
    for name in hostile {
        assert!(shown.contains(&name), "{name} is not among {shown:?}");
    }
    browser.picture("hostile", &page, Scheme::Light, (1100, 2600));
    browser.picture("phone-hostile", &page, Scheme::Dark, (360, 5200));
}

#[test]
fn few_and_many_snapshots_and_damage_are_shown_as_well() {
    let Some(browser) = browser() else { return };
    let browser = browser.as_ref().unwrap();
    let place = Place::small();
    place.ok("backup app.redb --name one --source app");
    let one = report(&place, "");
    let hours = (0..999).map(|hour| (format!("hour-{hour:04}"), now() - 3600 * (1000 - hour)));
    copy_snapshot(&place.path("backups"), "one", hours);
    let many = report(&place, "--keep-hourly 24 --keep-daily 30");
    place.ok("forget one");
    for pack in fs::read_dir(place.path("backups/packs")).unwrap() {
        fs::remove_file(pack.unwrap().path()).unwrap();
    }
    fs::write(place.path("backups/snapshots/hour-0500.json"), "{").unwrap();
    let damaged = report(&place, "");
    let place = Place::small();
    place.ok("backup app.redb --name one");
    place.ok("forget one --allow-empty");
    let empty = report(&place, "");
    for (name, page, status) in [
        ("one", &one, "Nothing is known"),
        ("many", &many, "Nothing is known"),
        ("damaged", &damaged, "Damaged"),
        ("empty", &empty, "There is no snapshot yet"),
    ] {
        let seen = browser.look(page, Scheme::Light);
        assert_sound(&seen);
        assert!(seen[0]["status"].as_str().unwrap().contains(status), "{name}: {}", seen[0]["status"]);
        assert!(seen[0]["drawn"].as_u64().unwrap() <= 181, "{name}");
        browser.picture(name, page, Scheme::Light, (1100, 2200));
        browser.picture(&format!("phone-{name}"), page, Scheme::Dark, (360, 3600));
    }
}
