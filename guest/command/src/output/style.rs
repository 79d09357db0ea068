//! Colours, for people at a terminal.

use std::io::{self, IsTerminal as _};

/// How a word on stderr stands out.
#[derive(Debug, Clone, Copy)]
pub enum Style {
    /// What went wrong.
    Error,
    /// What should be known.
    Warning,
}

/// The word, in its colour if stderr shows colours: a terminal does, unless `NO_COLOR` is set; with `CLICOLOR_FORCE` set a
/// pipe does as well.
pub fn on_stderr(style: Style, word: &str) -> String {
    if !coloured(io::stderr().is_terminal()) {
        return word.to_owned();
    }
    let code = match style {
        Style::Error => "1;31",
        Style::Warning => "1;33",
    };
    format!("\u{1b}[{code}m{word}\u{1b}[0m")
}

fn coloured(terminal: bool) -> bool {
    // A component does not see whether its user wants none.
    if cfg!(target_family = "wasm") {
        return false;
    }
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let forced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0");
    let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    !set("NO_COLOR") && (forced || (terminal && !dumb))
}
