//! Options for policies.

use std::path::PathBuf;

/// Which policy is asked, and how.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Policy")]
pub struct PolicyArgs {
    /// Ask the policy in this component file instead of the built-in one
    #[arg(long = "policy", value_name = "P.wasm")]
    pub file: Option<PathBuf>,

    /// A setting for the policy; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,

    /// Whose calendar the policy is shown: an IANA name such as Europe/Berlin, or `local` [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,

    /// Million units of fuel, about a millisecond each, for an answer, in all [default: 2000, and 5 more for each snapshot and table]
    #[arg(long, value_name = "MILLIONS", value_parser = clap::value_parser!(u32).range(1..))]
    pub policy_fuel: Option<u32>,

    /// Memory that the policy may use [default: 256]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    pub policy_memory: Option<u32>,
}

impl PolicyArgs {
    /// Whether any of them is given.
    pub(crate) fn any(&self) -> bool {
        let Self { file, settings, time_zone, policy_fuel, policy_memory } = self;
        file.is_some()
            || !settings.is_empty()
            || time_zone.is_some()
            || policy_fuel.is_some()
            || policy_memory.is_some()
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a setting is NAME=VALUE".to_owned()),
    }
}
