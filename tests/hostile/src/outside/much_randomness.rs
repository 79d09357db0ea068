//! More random bytes than the host has memory for.

pub(super) fn run() -> String {
    format!("ESCAPED: {} bytes", wasip2::random::random::get_random_bytes(1 << 40).len())
}
