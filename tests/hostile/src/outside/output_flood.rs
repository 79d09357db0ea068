//! Everything that fits onto stdout.

use std::io::Write;

pub(super) fn run() -> String {
    let mut out = std::io::stdout().lock();
    while out.write_all(&[b'x'; 4096]).is_ok() {}
    "stdout was closed".to_owned()
}
