//! Keeps snapshots the further apart the older they are: from one to the next it is at least a quarter of their age.
//!
//! Settings: `parts`, 4 for a quarter.
#![no_std]

extern crate alloc;

mod bare;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use exports::strongroom::policy::retain::{Guest, Moment, Snapshot, Verdict};

wit_bindgen::generate!({ path: "../../../wit/deps/policy", world: "retainer" });

struct Policy;
export!(Policy);

impl Guest for Policy {
    fn retain(
        settings: Vec<(String, String)>,
        now: Moment,
        snapshots: Vec<Snapshot>,
    ) -> Result<Vec<Verdict>, String> {
        let mut parts = 4;
        for (name, value) in settings {
            match (name.as_str(), value.parse()) {
                ("parts", Ok(number)) if number > 0 => parts = number,
                // An error keeps everything and is shown to whoever runs the policy.
                _ => return Err(format!("setting {name}={value}: give parts=NUMBER, 1 or more")),
            }
        }
        // They come oldest first.
        let mut last_kept = None;
        let judge = |snapshot: &Snapshot| {
            let at = snapshot.at.seconds;
            let age = (now.seconds - at).max(0);
            let apart = last_kept.map(|last| at - last);
            if apart.is_some_and(|apart| apart < age / parts) {
                return Verdict { keep: false, reason: "too close to the one before it".to_string() };
            }
            last_kept = Some(at);
            match apart {
                None => Verdict { keep: true, reason: "oldest".to_string() },
                Some(_) => Verdict { keep: true, reason: format!("1/{parts} of its age apart") },
            }
        };
        Ok(snapshots.iter().map(judge).collect())
    }
}
