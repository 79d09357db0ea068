//! Many snapshots of the same data, without a backup for each.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

/// Copies a snapshot's file under other names, with other times, as FORMAT.md has such files.
///
/// # Panics
///
/// If there is no such snapshot, or its file is not what it should be.
pub fn copy_snapshot(repository: &Path, name: &str, copies: impl Iterator<Item = (String, u64)>) {
    let path = |name: &str| repository.join("snapshots").join(format!("{name}.json"));
    let text = fs::read_to_string(path(name)).expect("the snapshot is there");
    let mut object: Map<String, Value> = serde_json::from_str(&text).expect("it is JSON");
    object.remove("checksum");
    let mut parent = name.to_owned();
    for (seq, (name, time)) in (2_u64..).zip(copies) {
        for (member, value) in [
            ("name", name.as_str().into()),
            ("time", time.into()),
            ("seq", seq.into()),
            ("parent", parent.into()),
        ] {
            object.insert(member.to_owned(), value);
        }
        let rest = format!("{}\n", &Value::Object(object.clone()).to_string()[1..]);
        let text = format!("{{\"checksum\":\"{}\",{rest}", blake3::hash(rest.as_bytes()));
        fs::write(path(&name), text).expect("the snapshot's file can be written");
        parent = name;
    }
}
