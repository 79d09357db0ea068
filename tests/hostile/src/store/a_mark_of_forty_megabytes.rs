//! A list of forty million elements, handed to the host.

pub(super) fn run() -> String {
    super::refused("scan(...)", super::open().scan("accounts", Some(&vec![0; 40_000_000]), None))
}
