//! Standard output, whose errors say what could not be written.

use std::io::{self, BufWriter, Write};

/// Standard output. Nothing that was written to it is lost without an error.
#[derive(Debug, Default)]
pub struct Out;

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        named(io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        named(io::stdout().flush())
    }
}

/// The same for much of it. Whoever writes to it flushes it in the end.
pub(crate) fn stdout() -> BufWriter<Out> {
    BufWriter::with_capacity(64 << 10, Out)
}

fn named<T>(done: io::Result<T>) -> io::Result<T> {
    done.map_err(|e| match e.kind() {
        // Writers make the call again.
        io::ErrorKind::Interrupted => e,
        kind => io::Error::new(kind, format!("cannot write to standard output: {e}")),
    })
}
