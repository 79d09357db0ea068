//! Verbs that read.

use strongroom::{Depth, ErrorCode};

use crate::common::files_below;
use crate::{restored, state_of, with_a_snapshot};

#[test]
fn verbs_that_read_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, _, snapshot) = with_a_snapshot(dir.path());
    // What a run that was interrupted leaves behind: a verb that could write would be tempted to clear it away.
    std::fs::write(repository.dir().join("packs/tmp-left"), "left behind").unwrap();
    std::fs::remove_file(&files_below(&repository.dir().join("index"))[0]).unwrap();
    // It leaves its notes elsewhere, and nowhere at all if it shall not.
    let repository = repository.without_memory();
    let before = state_of(repository.dir());
    repository.snapshots().unwrap();
    repository.find(&snapshot.id[..8]).unwrap();
    repository.tables("latest").unwrap();
    for depth in [Depth::Structure, Depth::Data, Depth::Sample { permille: 500, number: 1 }] {
        repository.verify(None, depth).unwrap();
        repository.verify(Some("first"), depth).unwrap();
    }
    let mut entries = 0;
    let count = |_: &[u8], _: &[u8]| {
        entries += 1;
        Ok(std::ops::ControlFlow::Continue(()))
    };
    repository.scan("latest", "a", count).unwrap();
    assert_eq!(entries, 2000);
    restored(&repository, "latest");
    assert_eq!(repository.tables("no such snapshot").unwrap_err().code(), ErrorCode::NotFound);
    assert!(state_of(repository.dir()) == before, "the repository is as it was");
    crate::common::repository(repository.dir()).verify(None, Depth::Structure).unwrap();
    let besides = |path: &std::path::Path| {
        path != repository.dir() && !path.starts_with(repository.dir().join("checks"))
    };
    let mut after = state_of(repository.dir());
    let written =
        after.extract_if(.., |(path, ..)| path.starts_with(repository.dir().join("checks"))).count();
    after.retain(|(path, ..)| besides(path));
    let before: Vec<_> = before.into_iter().filter(|(path, ..)| besides(path)).collect();
    assert!(written == 2 && after == before, "the folder and one note are new, and nothing else");
}
