//! The name that may have been meant.

/// Of these names the one that takes the fewest changes of a character to become, if they are few for its length.
pub(super) fn nearest<'a>(meant: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let meant: Vec<char> = meant.chars().collect();
    // Whatever is longer is no slip of the pen.
    let most = (meant.len() / 3).min(4);
    let near = names.map(|name| (changes(&meant, name), name)).filter(|(changes, _)| *changes <= most);
    near.min_by_key(|(changes, _)| *changes).map(|(_, name)| name)
}

/// How many characters are put in, left out, replaced, or swapped with the next.
fn changes(meant: &[char], name: &str) -> usize {
    let name: Vec<char> = name.chars().collect();
    // The rows of the two characters before, and of this one.
    let mut rows = [Vec::new(), Vec::new(), (0..=name.len()).collect::<Vec<usize>>()];
    for i in 1..=meant.len() {
        rows.rotate_left(1);
        let [two_before, before, now] = &mut rows;
        now.clear();
        now.push(i);
        for j in 1..=name.len() {
            let replaced = before[j - 1] + usize::from(meant[i - 1] != name[j - 1]);
            let mut fewest = replaced.min(before[j] + 1).min(now[j - 1] + 1);
            if i > 1 && j > 1 && meant[i - 1] == name[j - 2] && meant[i - 2] == name[j - 1] {
                fewest = fewest.min(two_before[j - 2] + 1);
            }
            now.push(fewest);
        }
    }
    rows[2][name.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_pen_has_a_nearest_name() {
        let names = ["nightly-20260131", "nightly-20260201", "äöü", "latest"];
        for (meant, name) in [
            ("lates", Some("latest")),
            ("laetst", Some("latest")),
            ("laatesst", Some("latest")),
            ("nightly-20260132", Some("nightly-20260131")),
            ("nigthly20260201", Some("nightly-20260201")),
            ("äöo", Some("äöü")),
            ("weekly-20260131", None),
            ("a", None),
            ("", None),
        ] {
            assert_eq!(nearest(meant, names.into_iter()), name, "{meant:?}");
        }
        assert_eq!(nearest("latest", std::iter::empty()), None);
    }
}
