//! A list of a hundred million elements, handed to the host.

pub(super) fn run() -> String {
    super::refused("scan(...)", super::open().scan("accounts", Some(&vec![0; 100_000_000]), None))
}
