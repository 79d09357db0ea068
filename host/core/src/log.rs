//! What a component prints.

/// The text of what a component printed, with everything that a terminal would act on made visible.
pub fn readable(printed: &[u8]) -> String {
    let mut text = String::new();
    for c in String::from_utf8_lossy(printed).chars() {
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
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_act_on() {
        assert_eq!(readable(b"a\x1b[2Jb\r\nc\x07\xff\n"), "a\\u{1b}[2Jb\\r\nc\\u{7}\u{fffd}");
        assert_eq!(readable("x\u{202e}y".as_bytes()), "x\\u{202e}y");
    }
}
