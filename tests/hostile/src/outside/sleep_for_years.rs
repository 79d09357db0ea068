//! Waits in the host, where no code of its own can be interrupted.

pub(super) fn run() -> String {
    wasip2::clocks::monotonic_clock::subscribe_duration(u64::MAX).block();
    // It was woken; it has nothing to do.
    loop {
        std::hint::spin_loop();
    }
}
