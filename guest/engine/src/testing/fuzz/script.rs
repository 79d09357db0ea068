//! Edit scripts of deltas.

use super::input::Input;
use crate::delta;
use crate::error::Code;
use crate::id::Kind;

/// Bytes as an edit script, after the length of what it makes and a base; and as content of which a script is made.
pub fn script(data: &[u8]) {
    let mut input = Input(data);
    let level = input.u8() % 2;
    let kind =
        [Kind::Node { level }, Kind::Catalog { level }, Kind::Baseline { level }, Kind::Blob][input.below(4)];
    let (len, base_len) = (usize::from(input.u16()), usize::from(input.u16()));
    let base = input.bytes(base_len);
    let rest = input.rest();
    match delta::apply(rest, base, len) {
        Ok(content) => assert_eq!(content.len(), len),
        Err(e) => assert_eq!(e.code, Code::Damaged),
    }
    let made = delta::diff(kind, base, rest);
    assert_eq!(delta::apply(&made, base, rest.len()).expect("what was written is read"), rest);
}
