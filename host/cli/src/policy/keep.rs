//! The rules of the built-in policy as options.

use strongroom::Policy;

/// What to keep. A snapshot is kept if any rule keeps it; the newest of each source always is.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Rules of the built-in policy")]
pub(crate) struct Keep {
    /// Keep the newest N
    #[arg(long, value_name = "N", value_parser = count)]
    keep_last: Option<String>,
    /// Keep the newest of each of the last N hours that have one; N may be `all`, here and below
    #[arg(long, value_name = "N", value_parser = count)]
    keep_hourly: Option<String>,
    /// Keep the newest of each of the last N days that have one
    #[arg(long, value_name = "N", value_parser = count)]
    keep_daily: Option<String>,
    /// Keep the newest of each of the last N weeks that have one
    #[arg(long, value_name = "N", value_parser = count)]
    keep_weekly: Option<String>,
    /// Keep the newest of each of the last N months that have one
    #[arg(long, value_name = "N", value_parser = count)]
    keep_monthly: Option<String>,
    /// Keep the newest of each of the last N years that have one
    #[arg(long, value_name = "N", value_parser = count)]
    keep_yearly: Option<String>,
    /// Keep those not older than this, counted from the newest: years, months, weeks, days, hours as 1y6m2w3d12h
    #[arg(long, value_name = "DURATION")]
    keep_within: Option<String>,
    /// Keep those whose names match; may be given several times
    #[arg(long, value_name = "GLOB")]
    keep_name: Vec<String>,
    /// Keep the first at or after each multiple of this position
    #[arg(long, value_name = "POSITIONS", value_parser = clap::value_parser!(u64).range(1..))]
    keep_every: Option<u64>,
}

fn count(text: &str) -> Result<String, String> {
    let is_number = text.len() < 19 && !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if is_number || text == "all" { Ok(text.to_owned()) } else { Err("give a number, or `all`".to_owned()) }
}

impl Keep {
    /// The rules that are given, as settings.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let once = [
            ("keep-last", self.keep_last.clone()),
            ("keep-hourly", self.keep_hourly.clone()),
            ("keep-daily", self.keep_daily.clone()),
            ("keep-weekly", self.keep_weekly.clone()),
            ("keep-monthly", self.keep_monthly.clone()),
            ("keep-yearly", self.keep_yearly.clone()),
            ("keep-within", self.keep_within.clone()),
            ("keep-every", self.keep_every.map(|every| every.to_string())),
        ];
        let once = once.into_iter().filter_map(|(name, value)| Some((name, value?)));
        once.chain(self.keep_name.iter().map(|glob| ("keep-name", glob.clone()))).collect()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.settings().is_empty()
    }

    /// The rules as they would be typed.
    pub(crate) fn told(&self) -> Vec<String> {
        self.settings().into_iter().map(|(name, value)| format!("--{name} {value}")).collect()
    }

    /// The policy with these rules.
    pub(crate) fn given_to(&self, policy: Policy) -> Policy {
        self.settings().into_iter().fold(policy, |policy, (name, value)| policy.setting(name, value))
    }
}
