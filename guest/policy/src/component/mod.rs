//! The rules as a component that imports nothing.

mod memory;

use alloc::string::String;
use alloc::vec::Vec;

use crate::{Candidate, Facts, Moment, Settings};
use bindings::exports::strongroom::policy::{admit, retain, select};

mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    wit_bindgen::generate!({ path: "../../wit/deps/policy", world: "policy", std_feature });
    use super::Component;
    export!(Component);
}

struct Component;

fn parse(settings: &[(String, String)]) -> Result<Settings, String> {
    Settings::parse(settings.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// The records of two interfaces that have the same fields.
macro_rules! facts {
    ($interface:ident) => {
        impl From<$interface::Snapshot> for Facts {
            fn from(snapshot: $interface::Snapshot) -> Self {
                let $interface::Snapshot { name, at, position, entries, tables_left_out, .. } = snapshot;
                let at = Moment {
                    seconds: at.seconds,
                    year: at.year,
                    month: at.month,
                    day: at.day,
                    hour: at.hour,
                    minute: at.minute,
                    second: at.second,
                    week: at.week,
                    week_year: at.week_year,
                    day_number: at.day_number,
                    utc_offset: at.utc_offset,
                };
                Self { name, at, position, entries, tables_left_out }
            }
        }
    };
}
facts!(retain);
facts!(admit);

impl select::Guest for Component {
    fn select(
        settings: Vec<(String, String)>,
        _source: String,
        tables: Vec<select::Table>,
    ) -> Result<Vec<select::Verdict>, String> {
        let settings = parse(&settings)?;
        let verdicts = tables.iter().map(|table| crate::select(&settings, &table.name));
        Ok(verdicts.map(|verdict| select::Verdict { take: verdict.yes, reason: verdict.reason }).collect())
    }
}

impl admit::Guest for Component {
    fn admit(settings: Vec<(String, String)>, candidate: admit::Candidate) -> Result<admit::Verdict, String> {
        let settings = parse(&settings)?;
        let admit::Candidate { new, tables, mut earlier, tables_before } = candidate;
        let (new, before) = (Facts::from(new), earlier.pop().map(Facts::from));
        let verdict = crate::admit(
            &settings,
            &Candidate {
                new: &new,
                tables: tables.iter().map(|table| table.name.as_str()).collect(),
                before: before.as_ref(),
                tables_before: tables_before
                    .as_ref()
                    .map(|tables| tables.iter().map(|table| table.name.as_str()).collect()),
            },
        );
        Ok(admit::Verdict { accept: verdict.yes, reason: verdict.reason })
    }
}

impl retain::Guest for Component {
    fn retain(
        settings: Vec<(String, String)>,
        _now: retain::Moment,
        snapshots: Vec<retain::Snapshot>,
    ) -> Result<Vec<retain::Verdict>, String> {
        let settings = parse(&settings)?;
        let snapshots: Vec<Facts> = snapshots.into_iter().map(Facts::from).collect();
        let verdicts = crate::retain(&settings, &snapshots)?.into_iter();
        Ok(verdicts.map(|verdict| retain::Verdict { keep: verdict.yes, reason: verdict.reason }).collect())
    }
}
