//! Reads the table again and again, and ignores that it is told to stop.

pub(super) fn run() -> String {
    let store = super::open();
    loop {
        let _ = super::scan(&store).read(1000);
    }
}
