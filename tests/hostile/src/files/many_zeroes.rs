//! Has the host write zeroes that it would first have to hold.

pub(super) fn run() -> String {
    let stdout = wasip2::cli::stdout::get_stdout();
    match stdout.write_zeroes(4 << 30) {
        Ok(()) => "ESCAPED: written".to_owned(),
        Err(e) => format!("write-zeroes: {e}"),
    }
}
