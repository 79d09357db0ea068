//! Snapshot files.

use crate::error::Code;
use crate::id::Id;
use crate::snapshot::{Snapshot, name};

/// Bytes as a snapshot file, and as what stands behind a checksum that fits.
pub fn snapshot(data: &[u8]) {
    look(data);
    let checksum = Id(*blake3::hash(data).as_bytes());
    look(&[format!("{{\"checksum\":\"{checksum}\",").as_bytes(), data].concat());
}

fn look(text: &[u8]) {
    let name = serde_json::from_slice::<serde_json::Value>(text).ok();
    let name = name.as_ref().and_then(|file| file["name"].as_str()).unwrap_or("name");
    match Snapshot::from_file(name, text) {
        Err(e) => assert!(matches!(e.code, Code::Damaged | Code::NewerFormat), "{e}"),
        Ok(snapshot) => {
            assert_eq!(snapshot.name, name);
            let again = snapshot.to_file().expect("what was read can be written");
            assert_eq!(Snapshot::from_file(name, &again).expect("what was written can be read"), snapshot);
            let other = if name == "a" { "b" } else { "a" };
            assert!(Snapshot::from_file(other, text).is_err(), "it passes for another snapshot");
        }
    }
    // Whatever a file calls itself, only names are taken from people.
    if name::check(name).is_ok() {
        assert!(!name.contains(['/', '\\', '\0']) && !name.starts_with("tmp-") && name != "..");
    }
}
