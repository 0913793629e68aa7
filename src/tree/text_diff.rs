//! The difference between two versions of a file, for people to read.

use std::time::Duration;

use similar::TextDiff;

/// A file with a NUL byte in its first bytes counts as binary, as for `git` and `grep`. This is how many are checked.
const LOOKED_AT: usize = 8 * 1024;
/// After this time, the diff is finished quickly, and may be longer than necessary.
const PATIENCE: Duration = Duration::from_secs(1);

/// A unified diff, or one line for binary content; `None` if nothing changed.
pub fn text_diff(path: &str, old: &[u8], new: &[u8]) -> Option<String> {
    if old == new {
        return None;
    }
    let (Some(before), Some(after)) = (as_text(old), as_text(new)) else {
        return Some(format!("binary file `{path}` changed: {} bytes -> {} bytes", old.len(), new.len()));
    };
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(before, after);
    let mut unified = diff.unified_diff();
    let (before, after) = (format!("a/{path}"), format!("b/{path}"));
    Some(unified.context_radius(3).header(&before, &after).to_string())
}

fn as_text(bytes: &[u8]) -> Option<&str> {
    let start = &bytes[..bytes.len().min(LOOKED_AT)];
    match start.contains(&0) {
        true => None,
        false => str::from_utf8(bytes).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn case(old: &[u8], new: &[u8], want: Expect) {
        want.assert_eq(&text_diff("conf/a.php", old, new).unwrap_or_default());
    }

    #[test]
    fn changed_lines_are_shown_with_three_lines_around_them() {
        let old = b"1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let new = b"1\n2\n3\n4\nfive\n6\n7\n8\n9\n";
        case(
            old,
            new,
            expect![[r#"
            --- a/conf/a.php
            +++ b/conf/a.php
            @@ -2,7 +2,7 @@
             2
             3
             4
            -5
            +five
             6
             7
             8
        "#]],
        );
        case(
            b"a\n",
            b"a",
            expect![[r#"
            --- a/conf/a.php
            +++ b/conf/a.php
            @@ -1 +1 @@
            -a
            +a
            \ No newline at end of file
        "#]],
        );
        case(
            b"",
            b"new\n",
            expect![[r#"
            --- a/conf/a.php
            +++ b/conf/a.php
            @@ -0,0 +1 @@
            +new
        "#]],
        );
        case(old, old, expect![[r#""#]]);
    }

    #[test]
    fn binary_content_is_told_by_its_size() {
        case(b"a\0b", b"a\0bc", expect!["binary file `conf/a.php` changed: 3 bytes -> 4 bytes"]);
        case(b"text", b"\xff\xfe", expect!["binary file `conf/a.php` changed: 4 bytes -> 2 bytes"]);
    }
}
