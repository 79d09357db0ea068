//! Verbs that only the native command has: known here, so that they can say so.

use clap::{Arg, ArgAction, ArgMatches, Command, Error, FromArgMatches, Subcommand};
use strongroom_command::NATIVE_ONLY;

/// A verb that is not to be had here.
#[derive(Debug)]
pub(crate) struct Elsewhere(pub(crate) String);

impl FromArgMatches for Elsewhere {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Ok(Self(matches.subcommand_name().unwrap_or_default().to_owned()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for Elsewhere {
    fn augment_subcommands(command: Command) -> Command {
        command.subcommands(NATIVE_ONLY.map(|name| {
            let rest =
                Arg::new("rest").action(ArgAction::Append).trailing_var_arg(true).allow_hyphen_values(true);
            Command::new(name).hide(true).arg(rest)
        }))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        NATIVE_ONLY.contains(&name)
    }
}
