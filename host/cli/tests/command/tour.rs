//! The README's tour, and its picture `docs/tour.svg`: what a newcomer types and sees, from a real run.
//!
//! `UPDATE_DOCS=1` writes both anew. Otherwise every line must read as the program's, but for its numbers.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::place::Place;

/// What is typed after the database was made; the tour goes on in its directory.
const STEPS: [&str; 6] = [
    "backup app.redb",
    "snapshots",
    "tables latest",
    "verify --read-data",
    "restore latest restored.redb",
    "diff latest restored.redb",
];
/// How the block of the README begins.
const BEGIN: &str = "```text\n$ cargo install --path host/cli\n";

#[test]
fn the_tour_of_the_readme_is_what_a_newcomer_sees() {
    let steps = take();
    let text = text(&steps);
    let (readme, picture) = (root().join("README.md"), root().join("docs/tour.svg"));
    let page = fs::read_to_string(&readme).unwrap();
    let from = page.find(BEGIN).expect("the README has a tour") + "```text\n".len();
    let until = from + page[from..].find("```").unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&readme, [&page[..from], &text, &page[until..]].concat()).unwrap();
        fs::write(&picture, draw(&steps)).unwrap();
        return;
    }
    let shown = &page[from..until];
    assert_eq!(words(shown), words(&text), "README.md shows other words; UPDATE_DOCS=1 writes it anew");
    let drawn = fs::read_to_string(&picture).unwrap();
    let lines =
        shown.lines().map(|line| line.strip_prefix("$ ").unwrap_or(line)).filter(|line| !line.is_empty());
    let missing: Vec<&str> = lines.filter(|line| !drawn.contains(&escaped(line))).collect();
    assert!(missing.is_empty(), "docs/tour.svg lacks {missing:?}; UPDATE_DOCS=1 writes it anew");
}

/// A command as it is typed, and what it prints.
struct Step {
    typed: String,
    printed: Vec<String>,
}

/// Takes the tour.
fn take() -> Vec<Step> {
    let place = Place::empty();
    let step = |typed: &str, printed: Vec<String>| Step { typed: typed.to_owned(), printed };
    let demo = place.ok("demo --keep shop");
    let last = demo.lines().last().unwrap_or_default().to_owned();
    let mut steps = vec![
        step("cargo install --path host/cli", Vec::new()),
        step("strongroom demo --keep shop", vec!["...".to_owned(), last]),
        step("cd shop", Vec::new()),
    ];
    let here = place.path("shop").canonicalize().unwrap();
    for args in STEPS {
        let output = place.command(args.split(' ')).current_dir(&here).output().unwrap();
        assert!(output.status.success(), "strongroom {args}: {output:?}");
        // Nobody else's directory.
        let printed =
            String::from_utf8(output.stdout).unwrap().replace(here.to_str().unwrap(), "/home/you/shop");
        steps.push(step(&format!("strongroom {args}"), printed.lines().map(str::to_owned).collect()));
    }
    steps
}

fn text(steps: &[Step]) -> String {
    let mut text = String::new();
    for Step { typed, printed } in steps {
        writeln!(text, "$ {typed}").unwrap();
        printed.iter().for_each(|line| writeln!(text, "{}", line.trim_end()).unwrap());
    }
    text
}

/// The words of each line, without what is another with every run: numbers, ids, and units of sizes and times.
fn words(text: &str) -> Vec<String> {
    let varies = |word: &&str| {
        let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
        ["B", "kB", "MB", "ms", "s", "min"].contains(&word)
            || (word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let constant = |word: &str| word.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let of_line = |line: &str| {
        let words = line.split_whitespace().filter(|word| !varies(word)).map(constant);
        // What is nothing but a number.
        words.filter(|word| word.chars().any(char::is_alphanumeric)).collect::<Vec<_>>().join(" ")
    };
    text.lines().map(of_line).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A terminal in which one command follows the other; whoever wants no motion sees all at once.
fn draw(steps: &[Step]) -> String {
    const LINE: usize = 19;
    const STYLE: &str = "text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;\
        white-space:pre;fill:#d5dae2}.typed{fill:#fff;font-weight:600}.prompt{fill:#7ee2a8}\
        g{opacity:0;animation:show .01s forwards}@keyframes show{to{opacity:1}}\
        @media (prefers-reduced-motion:reduce){g{opacity:1;animation:none}}";
    let columns = text(steps).lines().map(|line| line.chars().count()).max().unwrap_or_default();
    let lines: usize = steps.iter().map(|step| 1 + step.printed.len()).sum();
    let (width, height) = (columns * 8 + 40, lines * LINE + 56);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-label=\"A terminal: from installing Strongroom to a database restored and compared\">\n\
         <style>{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#151a22\"/>\n\
         <circle cx=\"20\" cy=\"18\" r=\"6\" fill=\"#ff5f57\"/><circle cx=\"40\" cy=\"18\" r=\"6\" fill=\"#febc2e\"/>\
         <circle cx=\"60\" cy=\"18\" r=\"6\" fill=\"#28c840\"/>\n"
    );
    let (mut y, mut after) = (52, 0.4);
    for Step { typed, printed } in steps {
        let typed = escaped(typed);
        writeln!(
            svg,
            "<g style=\"animation-delay:{after:.1}s\"><text x=\"20\" y=\"{y}\"><tspan class=\"prompt\">$ </tspan>\
             <tspan class=\"typed\">{typed}</tspan></text></g>"
        )
        .unwrap();
        (y, after) = (y + LINE, after + 0.8);
        if printed.is_empty() {
            continue;
        }
        writeln!(svg, "<g style=\"animation-delay:{after:.1}s\">").unwrap();
        for line in printed {
            let line = escaped(line.trim_end());
            writeln!(svg, "<text x=\"20\" y=\"{y}\">{line}</text>").unwrap();
            y += LINE;
        }
        svg.push_str("</g>\n");
        after += 1.2;
    }
    svg + "</svg>\n"
}
