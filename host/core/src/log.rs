//! What a component says, made safe to show.

/// Bytes of one message that are shown.
const MESSAGE_MAX: usize = 8 << 10;

/// The text of what a component printed, with everything that a terminal would act on made visible.
pub fn readable(printed: &[u8]) -> String {
    let mut text = String::new();
    for c in String::from_utf8_lossy(printed).chars() {
        show(c, &mut text);
    }
    text.trim_end().to_owned()
}

/// The beginning of a message of a component's, likewise.
pub fn message(text: &str) -> String {
    excerpt(text, MESSAGE_MAX)
}

/// At most about `max` bytes of what a component says, and how much there was more.
pub fn excerpt(text: &str, max: usize) -> String {
    let end = text.floor_char_boundary(max);
    let shown = readable(&text.as_bytes()[..end]);
    let more = text.len() - end;
    if more == 0 { shown } else { format!("{shown}... ({more} bytes more)") }
}

fn show(c: char, text: &mut String) {
    match c {
        '\n' | '\t' => text.push(c),
        c if c.is_control() => text.extend(c.escape_default()),
        // They turn text around.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            text.extend(c.escape_unicode());
        }
        c => text.push(c),
    }
}

/// Makes a stream of bytes readable that is cut anywhere.
#[derive(Default)]
pub struct Filter {
    /// The beginning of a character.
    cut: Vec<u8>,
}

impl Filter {
    /// What may be shown now.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.cut.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.cut) {
            // Only the last character can be incomplete.
            Err(e) if e.error_len().is_none() => e.valid_up_to(),
            Err(_) => self.cut.len() - incomplete(&self.cut),
            Ok(_) => self.cut.len(),
        };
        let rest = self.cut.split_off(whole);
        let whole = std::mem::replace(&mut self.cut, rest);
        let mut text = String::new();
        String::from_utf8_lossy(&whole).chars().for_each(|c| show(c, &mut text));
        text
    }
}

/// How many bytes at the end begin a character that is not complete.
fn incomplete(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last();
    match last.map(|chunk| chunk.invalid()) {
        Some(invalid) if !invalid.is_empty() && bytes.ends_with(invalid) => {
            let cut = std::str::from_utf8(invalid).is_err_and(|e| e.error_len().is_none());
            if cut { invalid.len() } else { 0 }
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{Filter, excerpt, readable};

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_act_on() {
        assert_eq!(readable(b"a\x1b[2Jb\r\nc\x07\xff\n"), "a\\u{1b}[2Jb\\r\nc\\u{7}\u{fffd}");
        assert_eq!(readable("x\u{202e}y".as_bytes()), "x\\u{202e}y");
    }

    #[test]
    fn a_long_message_is_cut_and_says_so() {
        assert_eq!(excerpt("short", 10), "short");
        assert_eq!(excerpt("ééé", 3), "é... (4 bytes more)");
    }

    #[test]
    fn a_stream_reads_the_same_however_it_is_cut() {
        let bytes = [b"a\x1b[1m\xff".as_slice(), "é€😀\u{202e}".as_bytes(), b"\xe2\x82z\xf0\x9f"].concat();
        let mut whole = Filter::default().push(&bytes);
        whole.truncate(whole.trim_end_matches('\u{fffd}').len());
        for step in 1..bytes.len() {
            let mut filter = Filter::default();
            let cut: String = bytes.chunks(step).map(|bytes| filter.push(bytes)).collect();
            assert_eq!(cut.trim_end_matches('\u{fffd}'), whole, "in pieces of {step}");
            assert!(!cut.contains('\x1b'));
        }
    }
}
