//! What differs.

use redb::{Database, TableDefinition};
use serde_json::json;

use crate::place::{ACCOUNTS, BLOBS, Place, TAGS};

const HOSTILE: TableDefinition<&str, u8> = TableDefinition::new("hostile\u{1b}[2J");

/// A snapshot `one`, then a row added, one removed, one changed, a pair added and one removed, a table dropped, and one
/// added with a key that a terminal would act on.
fn changed() -> Place {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    let db = Database::open(place.path("app.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    {
        let mut accounts = txn.open_table(ACCOUNTS).unwrap();
        accounts.insert("account-new", 1).unwrap();
        accounts.remove("account-0007").unwrap();
        accounts.insert("account-1234", 5).unwrap();
        let mut tags = txn.open_multimap_table(TAGS).unwrap();
        tags.insert("odd", 11).unwrap();
        tags.remove("even", 4).unwrap();
        txn.open_table(HOSTILE).unwrap().insert("key\n\u{1b}[31m", 1).unwrap();
        assert!(txn.delete_table(BLOBS).unwrap());
    }
    txn.commit().unwrap();
    place
}

#[test]
fn counts_of_every_table_that_differs() {
    let place = changed();
    let live = place.json("diff one app.redb");
    assert_eq!(place.run("backup app.redb --name two --accept").code, Some(0));
    let mut said = place.json("diff one two");
    assert_eq!(
        (&said[4]["type"], &said[4]["after"], &said[4]["equal"]),
        (&"diff".into(), &"two".into(), &false.into())
    );
    assert_eq!((&live[4]["after_id"], live[..4] == said[..4]), (&json!(null), true), "{live:?} {said:?}");
    let tables = said.drain(..4);
    let counts = tables.map(|t| {
        assert_eq!(t["type"], "table-difference");
        (t["table"].clone(), [&t["added"], &t["removed"], &t["changed"]].map(|n| n.as_u64().unwrap()))
    });
    let expected = [
        (json!("accounts"), [1, 1, 1]),
        (json!("blobs"), [0, 2, 0]),
        (json!("hostile\u{1b}[2J"), [1, 0, 0]),
        (json!("tags"), [1, 1, 0]),
    ];
    assert_eq!(counts.collect::<Vec<_>>(), expected);
    assert_eq!(
        (&said[0]["tables"], &said[0]["added"], &said[0]["removed"], &said[0]["changed"]),
        (&4.into(), &3.into(), &4.into(), &1.into())
    );

    let text = place.ok("diff one two");
    assert!(!text.contains('\u{1b}') && text.contains("dropped") && text.contains("new"), "{text}");
    assert!(text.contains("one to two  4 tables: 3 entries added, 4 removed, 1 changed"), "{text}");
    assert!(place.ok("diff two two").contains("no difference"));
    assert!(place.ok("diff two ./app.redb").contains("no difference"));
    assert!(
        place.ok("diff one latest --table tags").contains("1 table: 1 entry added, 1 removed, 0 changed")
    );
}

#[test]
fn every_key_with_sizes() {
    let place = changed();
    assert_eq!(place.run("backup app.redb --name two --accept").code, Some(0));
    let text = place.ok("diff one two --keys");
    assert!(!text.contains('\u{1b}'), "{text}");
    for line in [
        "+ accounts\taccount-new\t8 B",
        "- accounts\taccount-0007\t8 B",
        "~ accounts\taccount-1234\t8 B to 8 B",
        "- blobs\t2\t3.0 MB",
        "+ tags\todd\t8 B",
        "- tags\teven\t8 B",
        "+ hostile\\u{1b}[2J\tkey\\n\\u{1b}[31m\t1 B",
    ] {
        assert_eq!(text.lines().filter(|said| *said == line).count(), 1, "{line:?} is not in {text}");
    }
    let entries = place.json("diff one app.redb --keys");
    let entries: Vec<_> = entries.iter().filter(|line| line["type"] == "entry-difference").collect();
    assert_eq!(entries.len(), 8);
    let blob = entries.iter().find(|e| e["key"] == "2").unwrap();
    assert_eq!(
        (&blob["what"], &blob["before_bytes"], &blob["after_bytes"]),
        (&"removed".into(), &3_000_000.into(), &json!(null))
    );
    assert_eq!(
        (&blob["table"], &blob["key_b64"], &blob["key_bytes"]),
        (&"blobs".into(), &"AgAAAA==".into(), &4.into())
    );
}

#[test]
fn what_cannot_be_compared_says_so() {
    let place = changed();
    place.fails("diff one nothing", 1, &["nothing"]);
    place.fails("diff nothing one", 1, &["nothing"]);
    place.fails("diff one ./nothing.redb", 1, &["nothing.redb"]);
    place.fails("diff one app.redb --table none*", 1, &["none*", "accounts"]);
    std::fs::write(place.path("one"), "a file of that name").unwrap();
    place.fails("diff one one", 2, &["./one"]);
    place.fails("diff one latest --repo elsewhere", 10, &["elsewhere"]);
}
