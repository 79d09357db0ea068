//! The settings of all rules.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::duration::Duration;
use crate::period::Period;

/// Rules, as they were set.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub(crate) keep_last: Option<u64>,
    pub(crate) keep_of: [Option<u64>; Period::ALL.len()],
    pub(crate) keep_within: Option<(Duration, String)>,
    pub(crate) keep_names: Vec<String>,
    pub(crate) keep_every: Option<u64>,
    pub(crate) leave_out: Vec<String>,
    pub(crate) max_loss: Option<u64>,
    pub(crate) may_go: Vec<String>,
    pub(crate) may_go_back: bool,
}

impl Settings {
    /// Reads settings. One that is not known, given twice, or without sense is an error: a slip of the pen in a rule for
    /// deleting must not pass.
    pub fn parse<'s>(settings: impl IntoIterator<Item = (&'s str, &'s str)>) -> Result<Self, String> {
        let mut parsed = Self::default();
        for (name, value) in settings {
            parsed.set(name, value).map_err(|wrong| format!("setting {name}: {wrong}"))?;
        }
        Ok(parsed)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        for (period, keep) in Period::ALL.into_iter().zip(&mut self.keep_of) {
            if name == period.setting() {
                return once(keep, count(value)?);
            }
        }
        match name {
            "keep-last" => once(&mut self.keep_last, count(value)?),
            "keep-within" => {
                once(&mut self.keep_within, (Duration::parse(value)?, value.to_string()))
            }
            "keep-name" => {
                self.keep_names.push(value.to_string());
                Ok(())
            }
            "keep-every" => match number(value)? {
                0 => Err("every 0th position means nothing; give 1 or more".to_string()),
                every => once(&mut self.keep_every, every),
            },
            "leave-out" => {
                self.leave_out.push(value.to_string());
                Ok(())
            }
            "max-loss" => match number(value.strip_suffix('%').unwrap_or(value))? {
                percent if percent <= 100 => once(&mut self.max_loss, percent),
                _ => Err("more than 100 percent cannot be lost".to_string()),
            },
            "may-go" => {
                self.may_go.push(value.to_string());
                Ok(())
            }
            "may-go-back" => {
                self.may_go_back = match value {
                    "yes" => true,
                    "no" => false,
                    _ => return Err(format!("{value:?} is neither `yes` nor `no`")),
                };
                Ok(())
            }
            _ => Err("there is no such setting; there are keep-last, keep-hourly, keep-daily, keep-weekly, keep-monthly, \
                      keep-yearly, keep-within, keep-name, keep-every, leave-out, max-loss, may-go and may-go-back"
                .to_string()),
        }
    }

    /// Whether any rule says what to keep.
    pub(crate) fn keeps_anything(&self) -> bool {
        self.keep_last.is_some()
            || self.keep_of.iter().any(Option::is_some)
            || self.keep_within.is_some()
            || !self.keep_names.is_empty()
            || self.keep_every.is_some()
    }
}

fn once<T>(setting: &mut Option<T>, value: T) -> Result<(), String> {
    match setting.replace(value) {
        None => Ok(()),
        Some(_) => Err("it is given twice".to_string()),
    }
}

fn number(value: &str) -> Result<u64, String> {
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| value.parse().ok()).flatten().ok_or_else(|| format!("{value:?} is not a number"))
}

fn count(value: &str) -> Result<u64, String> {
    if value == "all" { Ok(u64::MAX) } else { number(value).map_err(|wrong| format!("{wrong}, nor `all`")) }
}
