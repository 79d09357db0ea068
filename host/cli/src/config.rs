//! `strongroom.toml`: options that are the same every time.
//!
//! What is given on the command line goes before the environment, that before the file, that before the built-in
//! default. The file's values become defaults of the command line, so they are checked, shown in help and overridden as
//! such.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use strongroom_command::usage;
use toml::{Table, Value};

const NAME: &str = "strongroom.toml";

/// What widens what a run may do or replaces what is there: asked for each time, by whoever runs it.
const NEVER: [&str; 9] = [
    "accept",
    "allow-empty",
    "break-lock",
    "component",
    "config",
    "force",
    "init",
    "no-landlock",
    "permission-override",
];

/// Gives the command line its option.
pub(crate) fn option(command: Command) -> Command {
    command.arg(
        Arg::new("config")
            .long("config")
            .env("STRONGROOM_CONFIG")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .global(true)
            .help_heading("For every verb")
            .help("Options that are the same every time [default: `strongroom.toml` here, else in ~/.config/strongroom]"),
    )
}

/// The command line with the values of the file, if there is one.
pub(crate) fn configured(command: Command, args: &[OsString]) -> anyhow::Result<Command> {
    // Whatever is wrong with the arguments is told when they are parsed in earnest.
    let Ok(given) = command.clone().ignore_errors(true).try_get_matches_from(args) else {
        return Ok(command);
    };
    let Some(path) = file(&given)? else { return Ok(command) };
    let text =
        fs::read_to_string(&path).map_err(|e| usage(format!("cannot read {}: {e}", path.display())))?;
    apply(command, &text, &given).map_err(|why| usage(format!("{}: {why}", path.display())))
}

/// The file that is named, or the first that is there.
fn file(given: &ArgMatches) -> anyhow::Result<Option<PathBuf>> {
    if let Some(path) = deepest(given).get_one::<PathBuf>("config") {
        return Ok(Some(strongroom_command::expanded(path)?));
    }
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".config"));
    let user =
        std::env::var_os("XDG_CONFIG_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from).or_else(home);
    for path in
        [Some(PathBuf::from(NAME)), user.map(|dir| dir.join("strongroom").join(NAME))].into_iter().flatten()
    {
        match fs::metadata(&path) {
            Ok(metadata) if open_to_all(&metadata) => {
                let path = path.display();
                return Err(usage(format!("{path} can be changed by everybody; run `chmod o-w {path}`")));
            }
            Ok(_) => return Ok(Some(path)),
            // Where a home or a working directory is none, or cannot be entered, no settings are to be found.
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied
                ) => {}
            Err(e) => return Err(usage(format!("cannot look at {}: {e}", path.display()))),
        }
    }
    Ok(None)
}

#[cfg(unix)]
fn open_to_all(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.mode() & 0o002 != 0
}

#[cfg(not(unix))]
fn open_to_all(_metadata: &fs::Metadata) -> bool {
    false
}

/// What was given to the verb, global options included.
fn deepest(given: &ArgMatches) -> &ArgMatches {
    given.subcommand().map_or(given, |(_, verb)| deepest(verb))
}

fn apply(command: Command, text: &str, given: &ArgMatches) -> Result<Command, String> {
    let table: Table = text.parse().map_err(|e: toml::de::Error| e.to_string())?;
    section(command, "", &table, Some(given), deepest(given))
}

/// Sets the defaults of one verb, and of those below it. `given` is what was given to it, if it is run; `all` are all
/// options that were given.
fn section(
    mut command: Command,
    place: &str,
    table: &Table,
    given: Option<&ArgMatches>,
    all: &ArgMatches,
) -> Result<Command, String> {
    for (key, value) in table {
        if let Value::Table(inner) = value {
            if command.find_subcommand(key).is_none() {
                let verbs: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
                return Err(format!("[{place}{key}] is no verb; there are: {}", verbs.join(", ")));
            }
            let below = given.and_then(|given| given.subcommand_matches(key));
            let mut done = Ok(());
            command = command.mut_subcommand(key, |verb| {
                section(verb.clone(), &format!("{place}{key}."), inner, below, all).unwrap_or_else(|e| {
                    done = Err(e);
                    verb
                })
            });
            done?;
            continue;
        }
        let name = format!("{place}{key}");
        if NEVER.contains(&key.as_str()) {
            return Err(format!("{name}: give --{key} when it is wanted; it cannot be set for good"));
        }
        let Some(arg) = command.get_arguments().find(|arg| arg.get_long() == Some(key)) else {
            let options: Vec<&str> = command.get_arguments().filter_map(Arg::get_long).collect();
            let of = if place.is_empty() { "every verb" } else { place.trim_end_matches('.') };
            return Err(format!("{name} is no option of {of}; there are: {}", options.join(", ")));
        };
        let values = values(arg, &name, value)?;
        check(arg, &name, &values)?;
        if values.is_empty() || is_ruled_out(&command, arg, all) {
            continue;
        }
        let id = arg.get_id().clone();
        // The command line holds on to what it is made of, and lives as long as the process.
        let values = values.into_iter().map(|value| &*Box::leak(value.into_boxed_str()));
        command = command.mut_arg(id, |arg| arg.default_values(values));
    }
    Ok(command)
}

/// The values as they would be given on the command line; of a flag `true`, or none.
fn values(arg: &Arg, name: &str, value: &Value) -> Result<Vec<String>, String> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        _ => Err(format!("{name} = {value} makes no sense: a text or a number is wanted")),
    };
    match (arg.get_action(), value) {
        (ArgAction::SetTrue, Value::Boolean(true)) => Ok(vec!["true".to_owned()]),
        (ArgAction::SetTrue, Value::Boolean(false)) => Ok(Vec::new()),
        (ArgAction::SetTrue, _) => Err(format!("{name} = {value} makes no sense: true or false is wanted")),
        (ArgAction::Append, Value::Array(all)) => all.iter().map(text).collect(),
        _ => Ok(vec![text(value)?]),
    }
}

/// Asks the option itself whether it takes these values.
fn check(arg: &Arg, name: &str, values: &[String]) -> Result<(), String> {
    let action = arg.get_action();
    if matches!(action, ArgAction::SetTrue) {
        return Ok(());
    }
    if matches!(action, ArgAction::Count) {
        let is_count = values.iter().all(|value| value.parse::<u8>().is_ok());
        return if is_count { Ok(()) } else { Err(format!("{name}: a number is wanted")) };
    }
    let alone = Arg::new("value").long("value").action(action.clone());
    let alone = alone.value_parser(arg.get_value_parser().clone());
    let words = std::iter::once("strongroom".to_owned());
    let words = words.chain(values.iter().map(|value| format!("--value={value}")));
    match Command::new("strongroom").arg(alone).try_get_matches_from(words) {
        Ok(_) => Ok(()),
        Err(e) => {
            let told = e.to_string();
            let line = told.lines().next().unwrap_or_default().trim_start_matches("error: ");
            Err(format!("{name}: {}", line.replace(" for '--value <value>'", "")))
        }
    }
}

/// Whether something was given that cannot be given together with this option.
fn is_ruled_out(command: &Command, arg: &Arg, given: &ArgMatches) -> bool {
    let is_given = |other: &Arg| {
        let id = other.get_id().as_str();
        given.try_contains_id(id).is_ok()
            && matches!(given.value_source(id), Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    };
    let rules_out = |one: &Arg, other: &Arg| {
        command.get_arg_conflicts_with(one).iter().any(|conflict| conflict.get_id() == other.get_id())
    };
    command.get_arguments().any(|other| is_given(other) && (rules_out(arg, other) || rules_out(other, arg)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
        let number = Arg::new("memory").long("memory").value_parser(clap::value_parser!(u32)).global(true);
        let table = Arg::new("table").long("table").action(ArgAction::Append);
        let sample = Arg::new("sample").long("sample");
        Command::new("strongroom")
            .arg(number)
            .subcommand(Command::new("backup").arg(table).arg(flag("force")).arg(flag("full-scan")))
            .subcommand(Command::new("verify").arg(sample).arg(flag("read").conflicts_with("sample")))
    }

    fn parsed(text: &str, args: &[&str]) -> Result<ArgMatches, String> {
        let args: Vec<&str> = std::iter::once("strongroom").chain(args.iter().copied()).collect();
        let given = command().ignore_errors(true).try_get_matches_from(&args).unwrap();
        let command = apply(command(), text, &given)?;
        Ok(command.try_get_matches_from(args).unwrap())
    }

    #[test]
    fn what_is_given_goes_before_the_file() {
        let text = "memory = 512\n[backup]\ntable = [\"a\", \"b\"]\nfull-scan = true";
        let matches = parsed(text, &["backup"]).unwrap();
        let verb = matches.subcommand_matches("backup").unwrap();
        assert_eq!(verb.get_one::<u32>("memory"), Some(&512));
        assert_eq!(verb.get_many::<String>("table").unwrap().collect::<Vec<_>>(), ["a", "b"]);
        assert!(verb.get_flag("full-scan"));
        for args in [["--memory", "7", "backup", "--table", "c"], ["backup", "--memory", "7", "--table", "c"]]
        {
            let matches = parsed(text, &args).unwrap();
            let verb = matches.subcommand_matches("backup").unwrap();
            assert_eq!(verb.get_one::<u32>("memory"), Some(&7));
            assert_eq!(verb.get_many::<String>("table").unwrap().collect::<Vec<_>>(), ["c"]);
        }
    }

    #[test]
    fn what_is_given_rules_out_what_cannot_stand_beside_it() {
        let text = "[verify]\nsample = \"5%\"";
        let sample = |args: &[&str]| {
            let matches = parsed(text, args).unwrap();
            matches.subcommand_matches("verify").unwrap().get_one::<String>("sample").cloned()
        };
        assert_eq!(sample(&["verify"]).as_deref(), Some("5%"));
        assert_eq!(sample(&["verify", "--read"]), None);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (text, says) in [
            ("memroy = 1", "memroy is no option of every verb; there are: memory"),
            ("[bakcup]\nx = 1", "[bakcup] is no verb; there are: backup, verify"),
            ("[backup]\nsample = 1", "backup.sample is no option of backup"),
            ("memory = \"much\"", "memory: invalid value 'much'"),
            ("memory = [1]", "a text or a number is wanted"),
            ("[backup]\nfull-scan = \"yes\"", "true or false is wanted"),
            ("[backup]\nforce = true", "cannot be set for good"),
            ("memory = ", "line 1"),
        ] {
            let said = parsed(text, &["backup"]).unwrap_err();
            assert!(said.contains(says), "{text}: {said}");
        }
    }
}
