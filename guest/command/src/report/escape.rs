//! Text from elsewhere in a page: whatever it says, it stays text.

use std::fmt::{self, Display, Formatter, Write as _};

/// Characters of a name that are shown.
const NAME_MAX: usize = 100;

/// Text in the content or in a quoted attribute of HTML.
///
/// What is no visible character is shown by its number: a page could not hold some of them at all, and others turn what is
/// beside them around or hide.
pub(super) struct Escaped<'t>(pub(super) &'t str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| put(c, f))
    }
}

/// A name in the content of HTML, cut if it is long, and for itself: it does not turn around what stands beside it.
pub(super) struct Name<'t>(pub(super) &'t str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("<i>empty</i>");
        }
        write!(f, "<bdi>{}</bdi>", Cut(self.0))
    }
}

/// A name where no elements can be, as in attributes: cut if it is long.
pub(super) struct Cut<'t>(pub(super) &'t str);

impl Display for Cut<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let end = self.0.char_indices().nth(NAME_MAX).map_or(self.0.len(), |(at, _)| at);
        let (shown, rest) = self.0.split_at(end);
        write!(f, "{}", Escaped(shown))?;
        if rest.is_empty() { Ok(()) } else { write!(f, "… ({} more bytes)", rest.len()) }
    }
}

fn put(c: char, f: &mut Formatter<'_>) -> fmt::Result {
    match c {
        '&' => f.write_str("&amp;"),
        '<' => f.write_str("&lt;"),
        '>' => f.write_str("&gt;"),
        '"' => f.write_str("&quot;"),
        '\'' => f.write_str("&#39;"),
        '\n' => f.write_str("\\n"),
        '\t' => f.write_str("\\t"),
        c if c.is_control() || hides(c) => write!(f, "{}", c.escape_unicode()),
        c => f.write_char(c),
    }
}

/// Marks of direction, separators of lines, fillers without width, tags, and what is no character.
fn hides(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
        || (c as u32) & 0xfffe == 0xfffe
        || matches!(c, '\u{fdd0}'..='\u{fdef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let hostile = "<script>alert('x')</script>\"&\n\0\u{1b}\u{202e}\u{85}\u{feff}\u{ffff}é漢🙂";
        assert_eq!(
            Escaped(hostile).to_string(),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;\\n\\u{0}\\u{1b}\\u{202e}\\u{85}\\u{feff}\\u{ffff}é漢🙂"
        );
    }

    #[test]
    fn no_text_can_leave_its_place() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let shown = Escaped(c.encode_utf8(&mut [0; 4])).to_string();
            let inside = |c: char| matches!(c, '<' | '>' | '"' | '\'') || c.is_control();
            assert!(!shown.contains(inside), "{c:?}: {shown}");
            assert!(!shown.contains('&') || shown.ends_with(';'), "{c:?}: {shown}");
        }
    }

    #[test]
    fn a_long_name_is_cut_and_says_so() {
        let name = "é<".repeat(5_000_000);
        let shown = Name(&name).to_string();
        assert!(shown.len() < 1000 && shown.ends_with("… (14999850 more bytes)</bdi>"), "{shown}");
        assert_eq!(Name("users").to_string(), "<bdi>users</bdi>");
    }
}
