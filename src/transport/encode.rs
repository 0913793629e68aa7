//! The texts that make shells on a host run scripts.
//!
//! **Invariant:** a script is never sent as an argument or in the environment of a process: other users could read it
//! there, and the limit is 128 KiB (Linux: MAX_ARG_STRLEN). It is not sent as a here-document either: for that, some
//! shells need free disk space. The only exception is a first script that other users may read (`bootstrap`).
//!
//! **Invariant:** a text that arrives incomplete does nothing.

use crate::shell::{Act, Script, Word};
use crate::transport::mark::Mark;

/// The command of the persistent shell.
pub const SHELL: &str = "sh";

/// The command of a channel that reads its script from the first line of its standard input. `read` reads byte by
/// byte, so that the rest of the input is left for the script.
pub const CHANNEL: &str = r#"sh -c 'IFS= read -r s; eval "$s"'"#;

/// The first text for the persistent shell. `_run N SCRIPT` runs a script in a new shell, in its own session if there
/// is `setsid`. That shell reads its program from a pipe (`_put` is a builtin). The program is a single command: an
/// `eval` with its text in double quotes and with `/dev/null` as standard input. Descriptor 4 keeps standard error
/// for the script, while messages of the persistent shell itself ("Killed") are discarded: bash would quote the
/// command in them.
const HELLO: &str = r#"case $(command -v printf) in
printf) _put() { printf %s "$1"; } ;;
*) _put() { print -rn -- "$1"; } ;;
esac
if command -v setsid >/dev/null 2>&1; then _new=setsid _way=session; else _new= _way=tree; fi
_run() {
  {
    _put "printf '%s<%s $_way;' $_m$1 \$\$; printf '%s<;' $_m$1 >&2; eval \"$2\" </dev/null" | $_new sh 2>&4 4>&-
    _s=$?
  } 4>&2 2>/dev/null
  _put "$_m$1>$_s;"
  _put "$_m$1>;" >&2
}
"#;

/// The beginning of the first line for a `CHANNEL`, with the same purposes as `HELLO`. `n` is a newline, which the
/// line cannot contain. `s=$?` is inside the braces: if braces contain only a `( )`, dash forgets the inner
/// redirections.
const FIRST_WORDS: &str =
    r#"{ n=$(printf '\nx'); n=${n%x}; _run() { { ( eval "$1" ) 2>&4 4>&-; s=$?; } 4>&2 2>/dev/null; }; "#;

/// The command that `bootstrap` runs, with the same purposes as `HELLO`. `$2` is the script, encoded by `argument`.
/// Commands for the shell itself are placed before it.
const BOOTSTRAP: &str = r#"if command -v setsid >/dev/null 2>&1; then _new=setsid _way=session; else _new= _way=tree; fi
{
  $_new sh -c 'printf "%s<%s %s;" "$1" $$ "$2"; printf "%s<;" "$1" >&2; _s=$3; set --; eval "$_s"' \
    sh "$_m" "$_way" "$(printf %b "$2")" </dev/null 2>&4 4>&-
  _s=$?
} 4>&2 2>/dev/null
printf '%s>%s;' "$_m" "$_s"
printf '%s>;' "$_m" >&2
"#;

/// The command that opens the persistent shell and makes it perform its first script. The command contains the
/// script, which saves a round trip, but other users on the host can read it. The mark needs its own nonce, because
/// they can read that as well. This shell does not know `_run` yet.
pub fn bootstrap(mark: &Mark, act: &Act) -> String {
    let mut first = act.prelude.as_ref().map_or(Vec::new(), Script::text);
    first.extend(format!("_m={}{}\n{BOOTSTRAP}", mark.stem(), mark.number()).bytes());
    let (first, script) = (argument(&first), argument(&act.script.text()));
    format!(r#"sh -c 'eval "$(printf %b "$1")"; exec sh' sh '{first}' '{script}'"#)
}

/// Encodes bytes for `printf %b`, with characters that have no special meaning within single quotes in bash, zsh,
/// fish, csh and the like. Newlines and `!` are special there in csh, `\\` and `\'` in fish.
fn argument(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\'' | b'\\' | b'!' | 0..=0x1f | 0x7f.. => text.push_str(&format!("\\0{byte:03o}")),
            byte => text.push(char::from(byte)),
        }
    }
    text
}

/// The first text for the persistent shell.
pub fn hello(mark: &Mark) -> Vec<u8> {
    format!("_m={}\n{HELLO}", mark.stem()).into_bytes()
}

/// An act for the persistent shell.
pub fn frame(mark: &Mark, act: &Act) -> Vec<u8> {
    let mut inner = Vec::new();
    for byte in act.script.text() {
        // All characters that are special within double quotes (POSIX XCU 2.2.3).
        if matches!(byte, b'\\' | b'"' | b'$' | b'`') {
            inner.push(b'\\');
        }
        inner.push(byte);
    }
    let mut frame = act.prelude.as_ref().map_or(Vec::new(), Script::text);
    frame.extend(format!("_run {} ", mark.number()).bytes());
    frame.extend(Word::new(inner).quoted());
    frame.push(b'\n');
    frame
}

/// The first line for a `CHANNEL`, with its script. Newlines become `$n`. The braces keep an incomplete line from
/// running. The shell that prints the marks is in the process group of all processes that the script starts.
pub fn first_line(mark: &Mark, script: &Script) -> Vec<u8> {
    let m = format!("{}{}", mark.stem(), mark.number());
    let mut line = FIRST_WORDS.as_bytes().to_vec();
    line.extend(format!("printf '%s<%s group;' {m} $$; printf '%s<;' {m} >&2; _run ").bytes());
    for byte in Word::new(script.text()).quoted() {
        match byte {
            b'\n' => line.extend(br#"'"$n"'"#),
            byte => line.push(byte),
        }
    }
    line.extend(format!("; printf '%s>%s;' {m} $s; printf '%s>;' {m} >&2; }}\n").bytes());
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::{Effect, Step};
    use crate::transport::mark::known;
    use expect_test::{Expect, expect};
    use std::io::Write;
    use std::process::{Command, Stdio};

    #[track_caller]
    fn case(text: Vec<u8>, want: Expect) {
        want.assert_eq(&String::from_utf8_lossy(&text));
    }

    fn script() -> Script {
        Script::new("echo \"$a\" `b` \\c\nexit 3\n").var("a", "it's")
    }

    fn act(script: Script) -> Act {
        Step::new("check", Effect::Writes, script, |_| Ok(())).act
    }

    #[test]
    fn a_frame_is_one_word_quoted_twice() {
        case(
            frame(&known(7), &act(script())),
            expect![[r#"
            _run 7 'a='\''it'\''\\'\'''\''s'\''
            echo \"\$a\" \`b\` \\c
            exit 3
            '
        "#]],
        );
    }

    #[test]
    fn what_the_shell_keeps_stands_before_the_script_and_in_no_other_shell() {
        let act = Step::new("check", Effect::Writes, Script::new(":"), |_| Ok(()))
            .prelude(Script::new("exec 9>>\"$file\"\n").var("file", "it's"))
            .act;
        case(
            frame(&known(7), &act),
            expect![[r#"
                file='it'\''s'
                exec 9>>"$file"
                _run 7 ':'
            "#]],
        );
    }

    #[test]
    fn a_first_line_is_one_line() {
        case(
            first_line(&known(7), &script()),
            expect![[r#"
                { n=$(printf '\nx'); n=${n%x}; _run() { { ( eval "$1" ) 2>&4 4>&-; s=$?; } 4>&2 2>/dev/null; }; printf '%s<%s group;' @feedfacecafebeef''0123456789abcdef.7 $$; printf '%s<;' @feedfacecafebeef''0123456789abcdef.7 >&2; _run 'a='\''it'\''\'\'''\''s'\'''"$n"'echo "$a" `b` \c'"$n"'exit 3'"$n"''; printf '%s>%s;' @feedfacecafebeef''0123456789abcdef.7 $s; printf '%s>;' @feedfacecafebeef''0123456789abcdef.7 >&2; }
            "#]],
        );
    }

    #[test]
    fn a_bootstrap_is_one_command_in_the_alphabet_of_all_shells() {
        let script = Script::new("echo \"$a\" `b` \\c # café!\n").var("a", "it's");
        let text = bootstrap(&known(0), &act(script));
        assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'!'));
        let (_, text) = text.split_once("' '").unwrap();
        case(
            text.as_bytes().to_vec(),
            expect![[r#"a=\0047it\0047\0134\0047\0047s\0047\necho "$a" `b` \0134c # caf\0303\0251\0041\n'"#]],
        );
    }

    #[test]
    fn a_first_line_that_arrives_in_part_does_nothing() {
        let line = first_line(&known(7), &Script::new("echo done"));
        let from = line.len() - 90;
        for cut in from..line.len() - 1 {
            let mut text = line[..cut].to_vec();
            text.extend(b"\n");
            let mut child = Command::new("sh")
                .args(["-c", CHANNEL])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(&text[..cut]).unwrap();
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.stdout, b"", "cut at {cut}");
        }
    }

    #[test]
    fn no_text_holds_the_mark_that_it_makes() {
        let mark = known(7);
        let bootstrap = bootstrap(&mark, &act(script())).into_bytes();
        for text in [hello(&mark), frame(&mark, &act(script())), first_line(&mark, &script()), bootstrap] {
            assert!(!String::from_utf8_lossy(&text).contains(&mark.to_string()));
        }
    }
}
