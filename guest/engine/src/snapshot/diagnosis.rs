//! What is still known of a snapshot file that cannot be read.

use super::{File, PREFIX, PREFIX_END};
use crate::id::Id;

/// Whether a file begins as snapshot files do, whatever it is called.
pub(crate) fn looks_like_one(bytes: &[u8]) -> bool {
    bytes.starts_with(PREFIX.as_bytes())
}

/// What can be said of a snapshot file that cannot be used. Nothing in it is trusted, nothing is put right.
pub(crate) fn known(text: &[u8]) -> String {
    if text.is_empty() {
        return "it is empty".to_owned();
    }
    if text.iter().all(|byte| *byte == 0) {
        return "it holds nothing but zeros".to_owned();
    }
    if text.starts_with(b"SRo1") || text.starts_with(b"SRindex1") {
        return "it is a pack or an index file; was it exchanged for another file?".to_owned();
    }
    match serde_json::from_slice::<File>(text) {
        Ok(file) => {
            let File { name, source, seq, time, tables, entries, id, .. } = file;
            format!(
                "{}; as it stands it says: snapshot {name:?}, number {seq} of source {source:?}, made {time} seconds after \
                 1970, {tables} tables, {entries} entries, id {id:?}",
                checksum(text)
            )
        }
        Err(e) if looks_like_one(text) => format!("{}; it cannot be read as JSON ({e})", checksum(text)),
        Err(_) => "nothing in it is that of a snapshot file".to_owned(),
    }
}

fn checksum(text: &[u8]) -> String {
    let rest = text.strip_prefix(PREFIX.as_bytes()).and_then(|rest| rest.split_at_checked(64));
    let parts = rest.and_then(|(said, rest)| {
        Some((std::str::from_utf8(said).ok()?, rest.strip_prefix(PREFIX_END.as_bytes())?))
    });
    match parts {
        None => "its first member is no checksum".to_owned(),
        Some((said, rest)) => {
            let is = Id(*blake3::hash(rest).as_bytes()).hex();
            if said == is {
                "its checksum fits".to_owned()
            } else {
                format!("its checksum is {said:?}, that of its bytes {is}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::known;

    #[test]
    fn what_still_stands_there_is_said() {
        assert!(known(b"").contains("empty"));
        assert!(known(&[0; 9]).contains("zeros"));
        assert!(known(b"SRo1abc").contains("pack"));
        assert!(known(b"hello").contains("nothing"));
        assert!(known(b"{\"checksum\":\"00\",").contains("no checksum"));
    }
}
