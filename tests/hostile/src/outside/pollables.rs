//! Things to wait for, without an end.

pub(super) fn run() -> String {
    loop {
        std::mem::forget(wasip2::clocks::monotonic_clock::subscribe_duration(1_000_000_000));
    }
}
