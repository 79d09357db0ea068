//! Hostile plugins.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use strongroom::{Budgets, Plugin, PluginBuilder, Run};
use strongroom_tests::guests;

use crate::page::Place;
use crate::world::World;
use crate::{Attack, Seen, common};

/// Attack in `tests/hostile/src`, and what it is.
const ATTACKS: [(&str, &str); 39] = [
    ("endless_loop", "a loop that calls nothing"),
    ("endless_recursion", "a function that calls itself without end"),
    ("memory_bomb", "all the memory there is"),
    ("huge_panic", "a panic with a message of ten million bytes"),
    ("trap", "the instruction `unreachable`"),
    ("error_flood", "stderr without end"),
    ("output_flood", "stdout without end"),
    ("escapes", "sequences that terminals act on, on stderr and stdout"),
    ("stores_never_dropped", "the store opened again and again"),
    ("cursors_never_dropped", "scans begun and never dropped"),
    ("pollables", "things to wait for, without end"),
    ("endless_reading", "the table read again and again, whatever is answered"),
    ("read_nothing", "`read(0)`"),
    ("read_four_gib", "`read` of 4 GiB"),
    (
        "impossible_names",
        "tables and positions called `../x`, `/etc/passwd`, with NUL, with line ends, and nothing",
    ),
    ("a_name_of_ten_megabytes", "a table whose name has ten million bytes"),
    ("a_mark_of_forty_megabytes", "a list of forty million elements as an argument"),
    ("use_after_drop", "a cursor used after it was dropped"),
    ("trap_in_a_host_call", "a trap inside a host call: its allocator ends while an answer is handed over"),
    ("many_zeroes", "4 GiB of zeroes that the host would have to hold"),
    ("much_randomness", "a terabyte of random bytes"),
    ("dot_dot", "`..` out of the directory"),
    ("absolute_paths", "absolute paths"),
    ("follow_a_symlink", "symlinks out of the directory, followed"),
    ("make_symlinks", "symlinks made and followed"),
    ("hard_links", "hard links to what it may only read, and to what is outside"),
    ("rename_across", "renames across directories, and out"),
    ("trailing_slashes", "paths that end in slashes"),
    ("write_where_it_may_read", "writing to a directory granted `:ro`, in seven ways"),
    ("proc_self_fd", "`/proc/self/fd` and `/proc/self/environ`"),
    ("the_repository", "the repository and its lock, and the database's file"),
    ("delete_everything", "every file that it can reach, removed"),
    ("environment", "the environment, the arguments, the current directory"),
    ("connect", "a TCP connection"),
    ("resolve", "the address of a name"),
    ("sleep_for_years", "a sleep of centuries inside the host"),
    ("clocks", "clocks, to tell the time and to measure"),
    ("exit_code", "(no attack) an exit code of its own, 13"),
    ("no_such_attack", "(no attack) an exit code that says \"I do not know this\", 99"),
];

/// Those that the kernel's wall would stop as well.
pub const ON_FILES: [&str; 11] = [
    "dot_dot",
    "absolute_paths",
    "follow_a_symlink",
    "make_symlinks",
    "hard_links",
    "rename_across",
    "trailing_slashes",
    "write_where_it_may_read",
    "proc_self_fd",
    "the_repository",
    "delete_everything",
];

/// Small, so that the suite is quick.
pub fn budgets() -> Budgets {
    Budgets::plugin().memory(64 << 20).time(Duration::from_secs(1)).output_bytes(1 << 20).log_bytes(64 << 10)
}

pub fn builder(name: &str, bytes: impl Into<Vec<u8>>) -> PluginBuilder {
    Plugin::builder(name, bytes).budgets(budgets()).cache_dir(common::cache_dir())
}

fn component() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| guests::component("strongroom-hostile", "hostile-plugin.wasm").unwrap())
}

/// What a plugin printed.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs a plugin with the grants of the suite.
pub fn run(plugin: &Plugin, world: &World, attack: &str) -> Seen {
    let (stdout, stderr) = (Printed::default(), Printed::default());
    let run = Run::new()
        .arg(attack)
        .dir(world.at("data"), "/data")
        .dir_read_only(world.at("readonly"), "/readonly")
        .stdout(stdout.clone())
        .stderr(stderr.clone());
    let ended = plugin.run(&world.store(), run);
    let printed = |printed: &Printed| String::from_utf8(printed.0.lock().unwrap().clone()).unwrap();
    // Where it is a terminal, that is how stdout looks as well.
    let stdout = printed(&stdout).replace('\x1b', "\\u{1b}");
    Seen::of_plugin(ended, stdout.trim(), printed(&stderr).trim())
}

pub fn run_with(world: &World, attack: &str, with: impl FnOnce(PluginBuilder) -> PluginBuilder) -> Seen {
    let plugin = with(builder("hostile", component())).build().unwrap();
    run(&plugin, world, attack)
}

pub fn attacks() -> Vec<Attack> {
    static PLUGIN: OnceLock<Plugin> = OnceLock::new();
    let plugin = PLUGIN.get_or_init(|| builder("hostile", component()).build().unwrap());
    let compiled = ATTACKS.into_iter().map(|(attack, tried)| Attack {
        place: Place::Plugin,
        tried,
        run: Box::new(move |world| run(plugin, world, attack)),
    });
    let written = crate::text::ATTACKS.into_iter().map(|(text, tried)| Attack {
        place: Place::Plugin,
        tried,
        run: Box::new(move |world| match builder("hostile", wat::parse_str(text).unwrap()).build() {
            Ok(plugin) => run(&plugin, world, ""),
            Err(e) => Seen::of_error(&e),
        }),
    });
    compiled.chain(written).collect()
}
