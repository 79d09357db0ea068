//! The address of a name, which tells somebody that it was asked.

use std::net::ToSocketAddrs;

pub(super) fn run() -> String {
    match ("example.com", 80).to_socket_addrs() {
        Ok(_) => "ESCAPED: resolved".to_owned(),
        Err(e) => format!("resolve: {e}"),
    }
}
