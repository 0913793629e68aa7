//! Text from a server, a file or a script as a terminal may get it: it moves no cursor, sets no title, hides nothing.

use std::fmt::Write;

use crate::event::Event;

/// The event with texts that come from elsewhere as a terminal may get them.
pub fn harmless(event: Event) -> Event {
    match event {
        // Line ends are a part of what it shows.
        Event::Diff { .. } => event.with_texts(&|text| visible(&text)),
        _ => event.with_texts(&|text| visible(&last_written(&text))),
    }
}

/// Makes a foreign text harmless: control characters but newline and tab, and those that reverse the direction of
/// writing, become `\u001b`, which is also how JSON spells them (RFC 8259, 7). Colours are dropped.
pub fn visible(text: &str) -> String {
    escaped(text, false)
}

/// The same for a line that has our own colours in it (ECMA-48, SGR): these stay.
pub fn visible_but_colours(text: &str) -> String {
    escaped(text, true)
}

/// What is left of lines that a program wrote over and over, as a progress bar is: what was written last.
pub fn last_written(text: &str) -> String {
    let last = |line: &str| {
        let line = line.trim_end_matches('\r');
        line.rsplit('\r').next().unwrap_or_default().to_owned()
    };
    match text.contains('\r') {
        true => text.split('\n').map(last).collect::<Vec<String>>().join("\n"),
        false => text.to_owned(),
    }
}

fn escaped(text: &str, keeps_colours: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_control) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match colour(rest) {
            0 => {
                let control = rest.chars().next().unwrap_or_default();
                let _ = write!(out, "\\u{:04x}", u32::from(control));
                rest = &rest[control.len_utf8()..];
            }
            length => {
                if keeps_colours {
                    out.push_str(&rest[..length]);
                }
                rest = &rest[length..];
            }
        }
    }
    out + rest
}

/// C0 but newline and tab, DEL, C1, and the bidirectional controls (Unicode UAX 9).
fn is_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The length of the sequence for a colour that a text begins with; 0 if it begins with something else.
fn colour(text: &str) -> usize {
    let Some(body) = text.strip_prefix("\u{1b}[") else { return 0 };
    let code = body.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
    if body.as_bytes().get(code) == Some(&b'm') { code + 3 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_would_act_on_is_left() {
        for (text, want) in [
            ("plain, é and 漢\n\tok", "plain, é and 漢\n\tok"),
            ("a\u{1b}]0;T\u{7}b", "a\\u001b]0;T\\u0007b"),
            ("\u{9b}2J\u{7f}", "\\u009b2J\\u007f"),
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{1b}[2K\u{1b}[", "\\u001b[2K\\u001b["),
            ("user\u{202e}txt.exe", "user\\u202etxt.exe"),
            ("a\rb", "a\\u000db"),
        ] {
            assert_eq!(visible(text), want);
        }
        assert_eq!(
            visible_but_colours("\u{1b}[31mred\u{1b}[0m\u{1b}[2J"),
            "\u{1b}[31mred\u{1b}[0m\\u001b[2J"
        );
    }

    #[test]
    fn of_a_line_that_was_written_over_the_last_state_counts() {
        for (text, want) in
            [("10%\r20%\r100%\ndone\r\n", "100%\ndone\n"), ("one\ntwo", "one\ntwo"), ("\r\n\rx\r", "\nx")]
        {
            assert_eq!(last_written(text), want);
        }
    }
}
