//! Reading a table out of a snapshot, without restoring it.

use std::ops::ControlFlow;

use strongroom_store::frame::Decoder;

use crate::host::Grants;
use crate::repository::Repository;
use crate::sandbox::Access;
use crate::{Error, ErrorCode, Result};

/// Bytes that are asked of the engine at once.
const CHUNK: u32 = 1 << 20;

impl Repository {
    /// Goes through the entries of a table in its own order, until `each` breaks or there is none left.
    pub fn scan(
        &self,
        snapshot: &str,
        table: &str,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>> + Send,
    ) -> Result<()> {
        let grants = Grants::new(self.meter());
        // The caller's own errors have nothing to do with the repository.
        let mut failed = None;
        self.run("scan", Access::Read, grants, |engine, grants| {
            // It says exactly what is wrong with a repository, for which a store has no codes.
            let snapshot = engine.call(|engine, store| engine.call_find(store, snapshot))?.name;
            let opened =
                answer(engine.with_snapshots(|stores, store| stores.call_open(&mut *store, &snapshot))?)?;
            let entries = answer(engine.with_snapshots(|stores, store| {
                stores.store().call_scan(&mut *store, opened, table, None, None)
            })?)?;
            let mut decoder = Decoder::new();
            loop {
                let chunk = answer(engine.with_snapshots(|stores, store| {
                    stores.bytes().call_read(&mut *store, entries, CHUNK)
                })?)?;
                if chunk.is_empty() {
                    return Ok(decoder.finish()?);
                }
                if !grants.meter.advance("read", chunk.len() as u64, 0) {
                    return Err(Error::new(ErrorCode::Cancelled, "stopped on request"));
                }
                let mut stopped = None;
                let decoded = decoder.decode(&chunk, |key, value| match each(key, value) {
                    Ok(ControlFlow::Continue(())) => Ok(()),
                    other => {
                        stopped = Some(other.map(|_| ()));
                        Err(strongroom_store::Error::new(strongroom_store::ErrorCode::Cancelled, "enough"))
                    }
                });
                match stopped {
                    Some(stopped) => {
                        failed = stopped.err();
                        return Ok(());
                    }
                    None => decoded?,
                }
            }
        })?;
        failed.map_or(Ok(()), Err)
    }
}

/// What a store that a component exports answers.
pub(crate) fn answer<T>(answer: std::result::Result<T, crate::sandbox::SnapshotError>) -> Result<T> {
    use crate::sandbox::SnapshotErrorCode as S;
    answer.map_err(|e| {
        let code = match e.code {
            S::NotFound => ErrorCode::NotFound,
            S::Exists => ErrorCode::Exists,
            S::Denied => ErrorCode::Denied,
            S::Busy => ErrorCode::Locked,
            S::Unsupported => ErrorCode::Unsupported,
            S::Corrupt => ErrorCode::Damaged,
            S::Io => ErrorCode::Io,
            S::Full => ErrorCode::Full,
            S::Cancelled => ErrorCode::Cancelled,
            S::Other => ErrorCode::Other,
        };
        Error::new(code, strongroom_core::message(&e.message))
    })
}
