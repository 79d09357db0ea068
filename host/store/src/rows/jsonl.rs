//! JSON Lines.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{RowSink, Rows, Types, json, sink};
use crate::frame::Decoder;
use crate::redb::{Partial, io_fault};
use crate::{Error, ErrorCode, Origin, Result, Sink, Table};

/// Writes what is restored as JSON Lines: a line for each table, then one for each of its entries, and a last one that names
/// the snapshot and says that all of it is there.
///
/// ```text
/// {"table":"accounts","kind":"table","entries":1,"key_type":"&str","value_type":"u64"}
/// {"table":"accounts","kind":"table","key":"alice","value":7}
/// {"snapshot":"app-20260131T101500Z","id":"c8b5...","source":"app","time":1769854500,"position":null,"labels":[],"tables":1,"entries":1}
/// ```
pub struct JsonLinesSink(RowSink<Lines>);

impl JsonLinesSink {
    /// Into a file, that is made beside its place as `NAME.strongroom-partial`. An existing file is refused, unless it may be
    /// overwritten; even then it stays whole until the new one is.
    pub fn new(target: &Path, overwrite: bool) -> Result<Self> {
        let (partial, file) = Partial::create(target, overwrite)?;
        Ok(Self::to(Out::File { file: BufWriter::with_capacity(BUFFER, file), partial }))
    }

    /// Into a pipe, a socket, standard output. What was written cannot be taken back: without the last line, it is not all
    /// of the snapshot.
    pub fn stream(out: impl Write + Send + 'static) -> Self {
        Self::to(Out::Stream(BufWriter::with_capacity(BUFFER, Box::new(out))))
    }

    fn to(out: Out) -> Self {
        Self(RowSink::new(Lines { out, begin: Vec::new(), begun: 0, tables: 0, entries: 0 }))
    }
}

sink!(JsonLinesSink);

const BUFFER: usize = 256 << 10;

enum Out {
    File { file: BufWriter<File>, partial: Partial },
    Stream(BufWriter<Box<dyn Write + Send>>),
}

impl Out {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::File { file, .. } => file,
            Self::Stream(out) => out,
        }
    }
}

struct Lines {
    out: Out,
    /// What each line of the table at hand begins with.
    begin: Vec<u8>,
    /// Where that table begins in the file.
    begun: u64,
    tables: u64,
    entries: u64,
}

fn unwritten(error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Error::new(ErrorCode::Cancelled, "whoever read the JSON Lines reads no more");
    }
    io_fault("writing the JSON Lines", error)
}

impl Rows for Lines {
    fn begin(&mut self, table: &Table, _types: &Types) -> Result<()> {
        if let Out::File { file, .. } = &mut self.out {
            self.begun = file.stream_position().map_err(|error| unwritten(&error))?;
        }
        self.begin.clear();
        let kind = if table.multimap { "multimap" } else { "table" };
        let mut begin = || {
            self.begin.extend_from_slice(b"{\"table\":");
            json::string(&table.name, &mut self.begin)?;
            write!(self.begin, ",\"kind\":\"{kind}\"")?;
            let out = self.out.writer();
            out.write_all(&self.begin)?;
            write!(out, ",\"entries\":{},\"key_type\":", table.entries)?;
            json::string(&table.key_type, out)?;
            out.write_all(b",\"value_type\":")?;
            json::string(&table.value_type, out)?;
            out.write_all(b"}\n")
        };
        begin().map_err(|error: io::Error| unwritten(&error))
    }

    fn append(&mut self, types: &Types, decoder: &mut Decoder, piece: &[u8]) -> Result<u64> {
        let (out, begin, mut entries) = (self.out.writer(), &self.begin, 0);
        decoder.decode(piece, |key, value| {
            let mut line = || {
                out.write_all(begin)?;
                out.write_all(b",\"key\":")?;
                json::write(types.key.as_ref(), key, out)?;
                out.write_all(b",\"value\":")?;
                json::write(types.value.as_ref(), value, out)?;
                out.write_all(b"}\n")
            };
            line().map_err(|error| unwritten(&error))?;
            entries += 1;
            Ok(())
        })?;
        Ok(entries)
    }

    fn end(&mut self, entries: u64) -> Result<()> {
        self.tables += 1;
        self.entries += entries;
        Ok(())
    }

    fn abandon(&mut self) -> Result<()> {
        match &mut self.out {
            Out::File { file, .. } => {
                // What is in the buffer is written first, or it would come later.
                let mut back = || {
                    file.flush()?;
                    file.get_mut().set_len(self.begun)?;
                    file.seek(SeekFrom::Start(self.begun))
                };
                back().map(drop).map_err(|error| unwritten(&error))
            }
            Out::Stream(_) => {
                Err(Error::new(ErrorCode::Unsupported, "what was printed of a table cannot be taken back"))
            }
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.out.writer().flush().map_err(|error| unwritten(&error))?;
        match &self.out {
            Out::File { partial, .. } => partial.sync(),
            Out::Stream(_) => Ok(()),
        }
    }

    fn describe(&mut self, origin: &Origin) -> Result<()> {
        let last = json!({
            "snapshot": origin.name, "id": origin.id, "source": origin.source, "time": origin.time,
            "position": origin.position, "labels": origin.labels, "tables": self.tables, "entries": self.entries,
        });
        writeln!(self.out.writer(), "{last}").map_err(|error| unwritten(&error))
    }

    fn publish(mut self) -> Result<()> {
        self.finish()?;
        match self.out {
            Out::File { file, partial } => {
                drop(file);
                partial.publish()
            }
            Out::Stream(_) => Ok(()),
        }
    }

    fn directories(&self) -> Option<Vec<PathBuf>> {
        match &self.out {
            Out::File { partial, .. } => partial.directory().map(|dir| vec![dir]),
            Out::Stream(_) => Some(Vec::new()),
        }
    }
}
