//! Packed entries as the host takes them apart.

use strongroom_store::frame::{Decoder, push};
use strongroom_store::{ErrorCode, Result};

/// Where to cut a stream, and the stream.
pub(crate) fn host_frames(data: &[u8]) {
    let (cut, stream) = data.split_first().map_or((1, data), |(cut, stream)| (usize::from(*cut) + 1, stream));
    let whole = entries(stream, stream.len().max(1));
    let pieces = entries(stream, cut);
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => {
            assert_eq!(whole, pieces, "where the stream was cut matters");
            let mut again = Vec::new();
            for (key, value) in &whole {
                push(&mut again, key, value).expect("what travelled can travel");
            }
            assert_eq!(again, stream);
        }
        (Err(a), Err(b)) => {
            assert!(a.code == ErrorCode::Corrupt && b.code == ErrorCode::Corrupt, "{a}, {b}");
        }
        (whole, pieces) => panic!("{whole:?}, but {pieces:?}"),
    }
}

fn entries(stream: &[u8], cut: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut entries = Vec::new();
    let mut decoder = Decoder::new();
    for piece in stream.chunks(cut) {
        decoder.decode(piece, |key, value| {
            entries.push((key.to_vec(), value.to_vec()));
            Ok(())
        })?;
    }
    decoder.finish()?;
    Ok(entries)
}
