//! The engine's answers in this crate's words.

/// Turns what bindings generated from the WIT interface `engine` answer into the words of this crate. The host's and
/// the guest's bindings have the same names for different types.
#[macro_export]
macro_rules! from_wit {
    ($engine:path) => {
        const _: () = {
            use $engine as wit;

            impl From<wit::Snapshot> for $crate::Snapshot {
                fn from(from: wit::Snapshot) -> Self {
                    let mut snapshot = Self::default();
                    snapshot.name = from.name;
                    snapshot.id = from.id;
                    snapshot.source = from.source;
                    snapshot.parent = from.parent;
                    snapshot.seq = from.seq;
                    snapshot.imported = from.imported;
                    snapshot.origin = from.origin;
                    snapshot.time = from.time;
                    snapshot.position = from.position;
                    snapshot.tables = from.tables;
                    snapshot.tables_left_out = from.tables_left_out;
                    snapshot.entries = from.entries;
                    snapshot.bytes = from.bytes;
                    snapshot.bytes_added = from.bytes_added;
                    snapshot.labels = from.labels;
                    snapshot
                }
            }

            impl From<wit::Table> for $crate::Table {
                fn from(from: wit::Table) -> Self {
                    let mut table = Self::default();
                    table.name = from.name;
                    table.multimap = from.multimap;
                    table.entries = from.entries;
                    table.bytes = from.bytes;
                    table.key_type = from.key_type;
                    table.value_type = from.value_type;
                    table.id = from.id;
                    table
                }
            }

            impl From<wit::Damage> for $crate::Damage {
                fn from(from: wit::Damage) -> Self {
                    let mut damage = Self::default();
                    damage.file = from.file;
                    damage.what = from.what;
                    damage.snapshots = from.snapshots;
                    damage.tables = from.tables;
                    damage.entries = from.entries;
                    damage
                }
            }

            impl From<wit::Pruned> for $crate::Pruned {
                fn from(from: wit::Pruned) -> Self {
                    let mut pruned = Self::default();
                    pruned.snapshots = from.snapshots;
                    pruned.packs_removed = from.packs_removed;
                    pruned.packs_written = from.packs_written;
                    pruned.objects_removed = from.objects_removed;
                    pruned.objects_moved = from.objects_moved;
                    pruned.bytes_freed = from.bytes_freed;
                    pruned.bytes_moved = from.bytes_moved;
                    pruned.bytes_unused = from.bytes_unused;
                    pruned.bytes_left = from.bytes_left;
                    pruned
                }
            }

            impl From<wit::Note> for $crate::Note {
                fn from(from: wit::Note) -> Self {
                    let mut note = Self::default();
                    note.file = from.file;
                    note.what = from.what;
                    note
                }
            }

            impl From<wit::Loss> for $crate::Loss {
                fn from(from: wit::Loss) -> Self {
                    let mut loss = Self::default();
                    loss.object = from.object;
                    loss.what = from.what;
                    loss.file = from.file;
                    loss.snapshots = from.snapshots;
                    loss.tables = from.tables;
                    loss.entries = from.entries;
                    loss.heals = from.heals;
                    loss
                }
            }

            impl From<wit::Repaired> for $crate::Repaired {
                fn from(from: wit::Repaired) -> Self {
                    let mut repaired = Self::default();
                    repaired.snapshots = from.snapshots;
                    repaired.whole = from.whole;
                    repaired.objects = from.objects;
                    repaired.bytes = from.bytes;
                    repaired.mended = from.mended.into_iter().map(Into::into).collect();
                    repaired.unreadable = from.unreadable.into_iter().map(Into::into).collect();
                    repaired.left = from.left.into_iter().map(Into::into).collect();
                    repaired.lost = from.lost.into_iter().map(Into::into).collect();
                    repaired.lost_more = from.lost_more;
                    repaired
                }
            }

            impl From<wit::Verified> for $crate::Verified {
                fn from(from: wit::Verified) -> Self {
                    let mut verified = Self::default();
                    verified.snapshots = from.snapshots;
                    verified.objects = from.objects;
                    verified.bytes = from.bytes;
                    verified.damage = from.damage.into_iter().map(Into::into).collect();
                    verified.warnings = from.warnings.into_iter().map(Into::into).collect();
                    verified
                }
            }

            impl From<wit::Error> for $crate::Error {
                fn from(from: wit::Error) -> Self {
                    use $crate::ErrorCode;
                    let code = match from.code {
                        wit::ErrorCode::NotFound => ErrorCode::NotFound,
                        wit::ErrorCode::Exists => ErrorCode::Exists,
                        wit::ErrorCode::Invalid => ErrorCode::Invalid,
                        wit::ErrorCode::NoRepository => ErrorCode::NoRepository,
                        wit::ErrorCode::NewerFormat => ErrorCode::NewerFormat,
                        wit::ErrorCode::Locked => ErrorCode::Locked,
                        wit::ErrorCode::Damaged => ErrorCode::Damaged,
                        wit::ErrorCode::Denied => ErrorCode::Denied,
                        wit::ErrorCode::Full => ErrorCode::Full,
                        wit::ErrorCode::Io => ErrorCode::Io,
                        wit::ErrorCode::Unsupported => ErrorCode::Unsupported,
                        wit::ErrorCode::Cancelled => ErrorCode::Cancelled,
                        wit::ErrorCode::Other => ErrorCode::Other,
                    };
                    // What a component says may be shown on a terminal.
                    $crate::Error::new(code, $crate::message(&from.message))
                }
            }
        };
    };
}
