//! No attack: an exit code of its own.

pub(super) fn run() -> String {
    println!("it exits with 13");
    wasip2::cli::exit::exit_with_code(13);
    "ESCAPED: it went on".to_owned()
}
