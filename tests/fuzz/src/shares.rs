//! Percentages on the command line.

/// Any text as `--max-unused` and as `--sample`.
pub(crate) fn shares(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match strongroom_command::unused_share(&text) {
        Ok(permille) => assert!(permille <= 1000, "{text:?} is {permille}"),
        Err(wrong) => assert!(wrong.contains("0% to 100%")),
    }
    match strongroom_command::sample_share(&text) {
        // Nothing at all would be verified, and would be called whole.
        Ok(permille) => assert!((1..=1000).contains(&permille), "{text:?} is {permille}"),
        Err(wrong) => assert!(wrong.contains("0.1% to 100%")),
    }
}
