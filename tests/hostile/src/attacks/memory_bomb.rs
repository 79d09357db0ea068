//! Memory, as much as there is.

pub(super) fn run() -> String {
    let mut all: Vec<Vec<u8>> = Vec::new();
    for _ in 0..1_000_000 {
        all.push(vec![1; 1 << 20]);
    }
    format!("ESCAPED: {} MiB", all.len())
}
