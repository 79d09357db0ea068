//! Variables, arguments and the directory that it runs in.

pub(super) fn run() -> String {
    let variables = std::env::vars().count();
    let arguments: Vec<String> = std::env::args().collect();
    assert!(variables == 0, "ESCAPED: {variables} variables");
    let here = wasip2::cli::environment::initial_cwd();
    format!("0 variables, the arguments {arguments:?}, the directory {here:?}")
}
