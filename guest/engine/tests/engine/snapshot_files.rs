//! Snapshot files that are not what was written.

use strongroom_engine::testing::MemoryVault;
use strongroom_engine::{Code, Vault};

use crate::common::{assert_holds, backup, one_table, restore, verify};

fn repository() -> (MemoryVault, strongroom_engine::testing::ModelStore) {
    let vault = MemoryVault::default();
    let store = one_table(vec![(b"key".to_vec(), b"value".to_vec())]);
    backup(&vault, &store, "a", 1);
    backup(&vault, &store, "b", 1);
    (vault, store)
}

/// A snapshot file with these members and the right checksum.
fn file(rest: &str) -> Vec<u8> {
    format!("{{\"checksum\":\"{}\",{rest}", blake3::hash(rest.as_bytes()).to_hex()).into_bytes()
}

/// What follows the checksum of a file.
fn rest(vault: &MemoryVault, name: &str) -> String {
    let text = String::from_utf8(vault.get(&format!("snapshots/{name}.json")).unwrap()).unwrap();
    text[r#"{"checksum":"","#.len() + 64..].to_owned()
}

/// The file is passed over and reported; the other snapshot and the next backup are none the worse for it.
fn assert_unreadable(content: Vec<u8>, code: Code) {
    let (vault, store) = repository();
    vault.put("snapshots/b.json", content);
    let (snapshots, unreadable) = strongroom_engine::snapshots(&vault).unwrap();
    assert_eq!((snapshots.len(), unreadable.len()), (1, 1));
    assert_eq!((unreadable[0].file.as_str(), unreadable[0].error.code), ("snapshots/b.json", code));
    assert_eq!(restore(&vault, "b").unwrap_err().code, code);
    assert_holds(&vault, "latest", &store);
    let damage = verify(&vault).damage;
    assert_eq!((damage.len(), damage[0].file.as_str()), (1, "snapshots/b.json"));
    assert_eq!(backup(&vault, &store, "c", 1).parent.as_deref(), Some("a"));
}

#[test]
fn damaged_files_are_passed_over_and_reported() {
    let (vault, _) = repository();
    let text = vault.get("snapshots/b.json").unwrap();
    for at in 0..text.len() {
        let mut damaged = text.clone();
        damaged[at] ^= 1 << (at % 8);
        vault.put("snapshots/b.json", damaged);
        assert_eq!(strongroom_engine::find(&vault, "b").unwrap_err().code, Code::Damaged, "byte {at}");
    }
    for len in 0..text.len() {
        vault.put("snapshots/b.json", text[..len].to_vec());
        assert_eq!(strongroom_engine::find(&vault, "b").unwrap_err().code, Code::Damaged, "{len} bytes");
    }
    assert_unreadable(Vec::new(), Code::Damaged);
    assert_unreadable(text[1..].to_vec(), Code::Damaged);
    assert_unreadable([&text[..], &[b' '; 2 << 20]].concat(), Code::Damaged);
}

#[test]
fn a_file_under_another_name_is_none() {
    let (vault, _) = repository();
    assert_unreadable(vault.get("snapshots/a.json").unwrap(), Code::Damaged);
}

#[test]
fn a_newer_format_is_refused_as_such() {
    let (vault, _) = repository();
    assert_unreadable(file(&rest(&vault, "b").replace("\"format\":1", "\"format\":2")), Code::NewerFormat);
    assert_unreadable(file("\"format\":7,\"all\":\"else may have changed\"}\n"), Code::NewerFormat);
    assert_unreadable(file(&rest(&vault, "b").replace("\"format\":1", "\"format\":0")), Code::Damaged);
}

#[test]
fn members_that_are_not_known_are_passed_over() {
    let (vault, store) = repository();
    let more = rest(&vault, "b").replace("\"format\":1", "\"format\":1,\"new\":{\"x\":[1,null]}");
    vault.put("snapshots/b.json", file(&more));
    assert_holds(&vault, "b", &store);
    assert!(verify(&vault).damage.is_empty());
}

#[test]
fn members_that_are_missing_or_nonsense_are_damage() {
    let (vault, _) = repository();
    let rest = rest(&vault, "b");
    for (from, to) in [
        ("\"seq\"", "\"seqq\""),
        ("\"entries\":1", "\"entries\":-1"),
        ("\"level\":0", "\"level\":16"),
        ("\"level\":0", "\"level\":256"),
        ("\"id\":\"", "\"id\":\"0"),
        ("\"schema\":[\"", "\"schema\":[\"x"),
        ("\"tables\":1", "\"tables\":99999999999999999999"),
    ] {
        assert!(rest.contains(from), "{from} in {rest}");
        assert_unreadable(file(&rest.replacen(from, to, 1)), Code::Damaged);
    }
}

#[test]
fn a_tree_that_is_not_what_the_file_says_is_damage() {
    let (vault, _) = repository();
    let rest = rest(&vault, "b");
    let id = strongroom_engine::find(&vault, "b").unwrap().id.hex();
    let root = rest.find("\"root\"").unwrap();
    for changed in [
        // The id of nothing that is there.
        rest.replace(&id, &id.replace(['0', '1', '2', '3'], "4")),
        format!("{}{}", &rest[..root], rest[root..].replacen("\"level\":0", "\"level\":1", 1)),
        format!("{}{}", &rest[..root], rest[root..].replacen("\"items\":1", "\"items\":2", 1)),
        rest.replacen("\"schema\":[\"", &format!("\"schema\":[\"{id}\",\""), 1),
    ] {
        assert_ne!(changed, rest);
        vault.put("snapshots/b.json", file(&changed));
        let damage = verify(&vault).damage;
        assert!(!damage.is_empty(), "{changed}");
        assert!(damage.iter().all(|damage| damage.snapshots == ["b"]), "{damage:?}");
        assert!(restore(&vault, "a").is_ok());
    }
}

#[test]
fn the_file_that_makes_a_repository_is_checked() {
    let (vault, store) = repository();
    for (text, code) in [
        ("", Code::Damaged),
        ("{}", Code::Damaged),
        ("{\"format\":\"strongroom\",\"version\":0}\n", Code::Damaged),
        ("{\"format\":\"strongroon\",\"version\":1}\n", Code::Damaged),
        ("{\"format\":\"strongroom\",\"version\":2}\n", Code::NewerFormat),
        ("{\"format\":\"strongroom\",\"version\":9,\"also\":[]}\n", Code::NewerFormat),
    ] {
        vault.put("repository.json", text.into());
        let before = vault.bytes();
        assert_eq!(strongroom_engine::snapshots(&vault).unwrap_err().code, code, "{text}");
        let refused = crate::common::try_backup(&vault, &store, &crate::common::job("new", 1));
        assert_eq!(refused.unwrap_err().code, code);
        assert_eq!(vault.bytes(), before);
    }
    vault.put("repository.json", b"{\"version\":1,\"more\":true,\"format\":\"strongroom\"}".to_vec());
    assert_holds(&vault, "a", &store);
    vault.remove("repository.json").unwrap();
    assert_eq!(strongroom_engine::snapshots(&vault).unwrap_err().code, Code::NoRepository);
    // Its folders are known, so a backup puts the file back.
    backup(&vault, &store, "c", 1);
    assert_holds(&vault, "a", &store);
}

#[test]
fn a_directory_with_other_things_is_not_made_a_repository() {
    let store = one_table(Vec::new());
    let vault = MemoryVault::default();
    vault.put("thesis.docx", b"years".to_vec());
    let refused = crate::common::try_backup(&vault, &store, &crate::common::job("x", 1)).unwrap_err();
    assert_eq!(refused.code, Code::NoRepository);
    assert!(refused.message.contains("thesis.docx"));
    assert_eq!(vault.paths(), ["thesis.docx"]);
}
