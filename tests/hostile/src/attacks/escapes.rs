//! What a terminal would act on: clearing the screen, a new title, text that runs backwards.

pub(super) fn run() -> String {
    eprintln!("\x1b[2J\x1b]0;owned\x07\u{202e}drawkcab\r\u{9b}31m");
    "on stdout: \x1b[2Jcleared".to_owned()
}
