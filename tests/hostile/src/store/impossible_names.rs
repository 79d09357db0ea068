//! Names of tables and positions that are paths, or would be lines or ends of text.

pub(super) fn run() -> String {
    let store = super::open();
    for name in ["../x", "/etc/passwd", "a\0b", "a\nb", "", "accounts/../accounts"] {
        for e in [store.scan(name, None, None).map(|_| ()), store.split(name, 4).map(|_| ())] {
            assert!(e.is_err(), "ESCAPED: {name:?}");
        }
        assert!(store.position(name).is_err(), "ESCAPED: {name:?}");
    }
    super::refused("scan(\"../x\")", store.scan("../x", None, None))
}
