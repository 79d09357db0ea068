//! A connection to another machine.

pub(super) fn run() -> String {
    match std::net::TcpStream::connect(("127.0.0.1", 22)) {
        Ok(_) => "ESCAPED: connected".to_owned(),
        Err(e) => format!("connect: {e}"),
    }
}
