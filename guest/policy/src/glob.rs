//! `*` and `?` in names.

/// Whether all of `text` is as the pattern says: `*` stands for any characters, `?` for one.
///
/// In time proportional to the product of the two lengths: on a mismatch only the last `*` takes one character more.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // After the last `*`: the pattern behind it, and the text that it has not yet swallowed.
    let mut star: Option<(core::str::Chars<'_>, core::str::Chars<'_>)> = None;
    loop {
        match (pattern.next(), text.clone().next()) {
            (Some('*'), _) => star = Some((pattern.clone(), text.clone())),
            (Some(wanted), Some(c)) if wanted == '?' || wanted == c => {
                text.next();
            }
            (None, None) => return true,
            _ => {
                let Some((after, swallowed)) = &mut star else { return false };
                if swallowed.next().is_none() {
                    return false;
                }
                (pattern, text) = (after.clone(), swallowed.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;
    use proptest::prelude::*;

    /// As the words say it.
    fn plainly(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), Some((_, more))) => plainly(rest, text) || plainly(pattern, more),
            (Some(('*', rest)), None) => plainly(rest, text),
            (Some(('?', rest)), Some((_, more))) => plainly(rest, more),
            (Some((p, rest)), Some((t, more))) if p == t => plainly(rest, more),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn globs_match_what_they_say(pattern in "[ab*?é]{0,8}", text in "[ab*é]{0,8}") {
            let chars = |s: &str| s.chars().collect::<alloc::vec::Vec<_>>();
            prop_assert_eq!(matches(&pattern, &text), plainly(&chars(&pattern), &chars(&text)));
        }
    }
}
