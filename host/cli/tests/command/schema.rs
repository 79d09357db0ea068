//! What `--json` prints is what json.schema.json says, and JSON.md speaks of the same fields.

use std::fs;

use serde_json::Value;

use crate::place::{Place, lines, random};

const SCHEMA: &str = include_str!("../../json.schema.json");
const PAGE: &str = include_str!("../../JSON.md");

/// As much of JSON Schema as that file uses. What it uses beyond is an error, so that nothing there goes unchecked.
fn check(schema: &Value, root: &Value, value: &Value) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{value} {what}"));
    for (keyword, rule) in schema.as_object().ok_or("a schema is an object")? {
        match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" => {}
            "$ref" => {
                let name =
                    rule.as_str().and_then(|path| path.strip_prefix("#/$defs/")).ok_or("a foreign $ref")?;
                check(&root["$defs"][name], root, value)?;
            }
            "oneOf" => {
                let each = rule.as_array().ok_or("oneOf")?.iter().map(|one| check(one, root, value));
                let (fits, fits_not): (Vec<_>, Vec<_>) = each.partition(Result::is_ok);
                if fits.len() != 1 {
                    return wrong(&format!("is {} kinds of line: {fits_not:?}", fits.len()));
                }
            }
            "type" => {
                let is = |kind: &Value| match kind.as_str() {
                    Some("object") => value.is_object(),
                    Some("array") => value.is_array(),
                    Some("string") => value.is_string(),
                    Some("boolean") => value.is_boolean(),
                    Some("null") => value.is_null(),
                    Some("number") => value.is_number(),
                    Some("integer") => value.is_i64() || value.is_u64(),
                    _ => false,
                };
                if !rule.as_array().map_or_else(|| is(rule), |kinds| kinds.iter().any(is)) {
                    return wrong(&format!("is not of type {rule}"));
                }
            }
            "const" if rule != value => return wrong(&format!("is not {rule}")),
            "enum" if !rule.as_array().is_some_and(|all| all.contains(value)) => {
                return wrong(&format!("is none of {rule}"));
            }
            "const" | "enum" => {}
            "minimum" => {
                if value.as_f64().is_some_and(|number| number < rule.as_f64().unwrap_or(f64::NAN)) {
                    return wrong(&format!("is below {rule}"));
                }
            }
            "pattern" => {
                assert_eq!(rule, "^[0-9a-f]{64}$", "no other pattern is known here");
                let is_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if !value.as_str().is_some_and(|text| text.len() == 64 && is_hex(text)) {
                    return wrong("is no id");
                }
            }
            "required" => {
                let names = rule.as_array().ok_or("required")?.iter().filter_map(Value::as_str);
                let missing: Vec<&str> = names.filter(|name| value.get(name).is_none()).collect();
                if !missing.is_empty() {
                    return wrong(&format!("lacks {missing:?}"));
                }
            }
            "properties" => {
                for (name, rule) in rule.as_object().ok_or("properties")? {
                    if let Some(value) = value.get(name) {
                        check(rule, root, value).map_err(|e| format!("{name}: {e}"))?;
                    }
                }
            }
            "items" => {
                for value in value.as_array().into_iter().flatten() {
                    check(rule, root, value)?;
                }
            }
            other => return Err(format!("the schema uses {other:?}, which nobody checks here")),
        }
    }
    Ok(())
}

/// A line is as the schema says, and has no field that the schema does not know.
fn holds(root: &Value, line: &Value) {
    if let Err(e) = check(root, root, line) {
        panic!("{line} is not what the schema says: {e}");
    }
    let kind = line["type"].as_str().unwrap();
    let known = root["$defs"][kind]["properties"].as_object().unwrap();
    if kind != "demo" {
        for name in line.as_object().unwrap().keys() {
            assert!(known.contains_key(name), "the schema does not know {name} of {kind}");
        }
    }
}

#[test]
fn what_is_printed_is_what_the_schema_says() {
    let root: Value = serde_json::from_str(SCHEMA).unwrap();
    let place = Place::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut look = |args: &str| {
        let ran = place.run(&format!("{args} --json"));
        let printed = lines(&String::from_utf8(ran.stdout).unwrap());
        for line in printed.iter().chain(&lines(&ran.stderr)) {
            holds(&root, line);
            seen.insert(line["type"].as_str().unwrap().to_owned());
        }
        assert!(!printed.is_empty() || !ran.stderr.is_empty(), "{args} says nothing");
    };
    for args in [
        "init",
        "backup app.redb --name one --position head/slot",
        "backup app.redb --name two",
        "backup app.redb --name two",
        "snapshots",
        "tables latest",
        "cat one accounts",
        "cat one blobs",
        "cat one tags",
        "get one blobs 1",
        "restore one out.redb",
        "restore one out.jsonl --to-jsonl",
        "restore one out.sqlite --to-sqlite",
        "snapshots one",
        "export one one.archive",
        "import one.archive --name three",
        "restore --archive one.archive again.redb",
        "diff one two",
        "diff one app.redb --keys",
        "verify --read-data",
        "verify one --against app.redb",
        "drill",
        "report --keep-last 1",
        "policy simulate --keep-daily 2 --every 12h --for 4d",
        "forget --keep-last 9 --dry-run",
        "forget one --prune",
        "prune --dry-run",
        "repair --dry-run",
        "frobnicate",
        "get one nothing x",
    ] {
        look(args);
    }
    // What a damaged repository has to say.
    let packs: Vec<_> =
        place.path("backups/packs").read_dir().unwrap().map(|pack| pack.unwrap().path()).collect();
    for pack in packs {
        let len = fs::metadata(&pack).unwrap().len();
        fs::write(&pack, random(1, len as usize)).unwrap();
    }
    for args in ["verify --read-data", "report", "repair", "restore latest lost.redb --skip-damaged"] {
        look(args);
    }
    for kind in [
        "snapshot",
        "exported",
        "imported",
        "diff",
        "compared",
        "drilled",
        "report",
        "verdict",
        "kept",
        "simulation",
        "repaired",
        "damage",
        "error",
    ] {
        assert!(seen.contains(kind), "no {kind} among {seen:?}");
    }
}

#[test]
fn the_page_and_the_schema_speak_of_the_same_fields() {
    let root: Value = serde_json::from_str(SCHEMA).unwrap();
    for (kind, schema) in root["$defs"].as_object().unwrap() {
        assert!(PAGE.contains(&format!("`{kind}`")), "JSON.md does not know {kind}");
        for name in schema["properties"].as_object().unwrap().keys() {
            assert!(PAGE.contains(&format!("`{name}`")), "JSON.md does not know {name} of {kind}");
        }
    }
    for code in root["$defs"]["error"]["properties"]["code"]["enum"].as_array().unwrap() {
        assert!(PAGE.contains(&format!("`{}`", code.as_str().unwrap())), "JSON.md does not know {code}");
    }
}

#[test]
fn what_is_not_what_the_schema_says_is_found() {
    let root: Value = serde_json::from_str(SCHEMA).unwrap();
    for wrong in [
        r#"{"type":"nothing"}"#,
        r#"{"type":"error","code":"usage","exit":2}"#,
        r#"{"type":"error","code":"bad","exit":2,"message":"x"}"#,
        r#"{"type":"error","code":"usage","exit":-2,"message":"x"}"#,
        r#"{"type":"table","name":"x","multimap":false,"entries":1.5,"bytes":1,"key_type":"","value_type":"","id":""}"#,
    ] {
        let line = serde_json::from_str(wrong).unwrap();
        assert!(check(&root, &root, &line).is_err(), "{wrong}");
    }
}
