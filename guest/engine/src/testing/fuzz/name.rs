//! Names of snapshots and templates for them.

use super::input::Input;
use crate::error::Code;
use crate::snapshot::name::{Facts, check, fill};

/// Facts, then the name of a source, then a template.
pub fn name(data: &[u8]) {
    let mut input = Input(data);
    let (time, seq) = (input.u64(), input.u64());
    let position = input.coin().then(|| input.u64());
    let len = input.u8().into();
    let source = String::from_utf8_lossy(input.bytes(len)).into_owned();
    let template = String::from_utf8_lossy(input.rest());
    let facts = Facts { source: &source, time, position, seq };
    match fill(&template, facts) {
        Err(e) => assert!(e.code == Code::Invalid && e.message.len() > 10, "{e}"),
        Ok(name) => {
            check(&name).expect("what a template gives is a name");
            assert!((1..=200).contains(&name.len()));
            assert!(!name.contains(['/', '\\']) && !name.chars().any(char::is_control));
            assert!(!name.starts_with(['.', '-', ' ']) && !name.starts_with("tmp-") && name != "latest");
            assert_eq!(fill(&template, facts).ok(), Some(name.clone()), "the same facts give the same name");
            // Braces that are doubled stand for themselves, so any name can be asked for.
            let literal = name.replace('{', "{{").replace('}', "}}");
            assert_eq!(fill(&literal, facts).ok(), Some(name));
        }
    }
}
