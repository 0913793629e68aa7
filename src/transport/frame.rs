//! Finds the marks of one script in one stream, without I/O.
//!
//! **Invariant:** it never passes on a byte of a mark, and never holds back a byte between the marks once that cannot
//! be part of a mark.

use crate::transport::mark::Mark;

/// The maximum length of the text within a mark, with the `;`.
const NOTE_MAX: usize = 32;
/// How much output before the first mark is kept, to report a shell that failed before it.
const STRAY_MAX: usize = 4096;

/// The position of a stream relative to its marks.
#[derive(Debug, Clone, PartialEq, Eq)]
enum StreamPlace {
    Before,
    Within,
    After,
}

/// Reads a stream in pieces and passes on the output between the marks. Output before them is from processes that
/// earlier scripts left behind, or the greeting of a login shell: keeps the last part of it. Discards output after
/// them.
#[derive(Debug)]
pub struct Scanner {
    mark: Vec<u8>,
    place: StreamPlace,
    /// Bytes that may be part of a mark.
    held: Vec<u8>,
    stray: Vec<u8>,
    /// More came before it.
    is_stray_cut: bool,
    begin: Option<String>,
    end: Option<String>,
}

impl Scanner {
    pub fn new(mark: &Mark) -> Self {
        Self {
            mark: mark.bytes(),
            place: StreamPlace::Before,
            held: Vec::new(),
            stray: Vec::new(),
            is_stray_cut: false,
            begin: None,
            end: None,
        }
    }

    /// The text within the begin mark.
    pub fn begin(&self) -> Option<&str> {
        self.begin.as_deref()
    }

    /// The text within the end mark.
    pub fn end(&self) -> Option<&str> {
        self.end.as_deref()
    }

    /// The last bytes before the output of the script.
    pub fn stray(&self) -> &[u8] {
        match self.is_stray_cut {
            true => self.stray.iter().position(|byte| *byte == b'\n').map_or(&[], |at| &self.stray[at + 1..]),
            false => &self.stray,
        }
    }

    /// Reads the next piece of the stream.
    pub fn feed(&mut self, bytes: &[u8], out: &mut dyn FnMut(&[u8])) {
        if self.place == StreamPlace::After {
            return;
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend(bytes);
        let mut from = 0;
        while self.place != StreamPlace::After {
            match find(&held[from..], &self.mark) {
                MarkSearch::No => {
                    self.pass(&held[from..], out);
                    from = held.len();
                    break;
                }
                MarkSearch::Maybe { at } => {
                    self.pass(&held[from..from + at], out);
                    from += at;
                    break;
                }
                MarkSearch::Mark { at, len } => {
                    self.pass(&held[from..from + at], out);
                    let inner = &held[from + at + self.mark.len()..from + at + len - 1];
                    let note = String::from_utf8_lossy(&inner[1..]).into_owned();
                    if inner[0] == b'<' {
                        self.place = StreamPlace::Within;
                        self.begin = Some(note);
                    } else {
                        self.place = StreamPlace::After;
                        self.end = Some(note);
                    }
                    from += at + len;
                }
            }
        }
        held.drain(..from);
        self.held = held;
    }

    /// Ends the stream. Bytes that were held back are not part of a mark.
    pub fn finish(&mut self, out: &mut dyn FnMut(&[u8])) {
        let held = std::mem::take(&mut self.held);
        self.pass(&held, out);
    }

    fn pass(&mut self, bytes: &[u8], out: &mut dyn FnMut(&[u8])) {
        match self.place {
            StreamPlace::Within if !bytes.is_empty() => out(bytes),
            StreamPlace::Before => {
                let last = bytes.len().saturating_sub(STRAY_MAX);
                self.stray.extend(&bytes[last..]);
                let excess = self.stray.len().saturating_sub(STRAY_MAX);
                self.stray.drain(..excess);
                self.is_stray_cut |= last > 0 || excess > 0;
            }
            StreamPlace::Within | StreamPlace::After => {}
        }
    }
}

enum MarkSearch {
    No,
    /// The bytes at `at` may be the beginning of a mark.
    Maybe {
        at: usize,
    },
    Mark {
        at: usize,
        len: usize,
    },
}

fn find(bytes: &[u8], mark: &[u8]) -> MarkSearch {
    let mut at = 0;
    while let Some(next) = bytes[at..].iter().position(|&byte| byte == mark[0]) {
        at += next;
        match look(&bytes[at..], mark) {
            MarkSearch::No => at += 1,
            MarkSearch::Maybe { .. } => return MarkSearch::Maybe { at },
            MarkSearch::Mark { len, .. } => return MarkSearch::Mark { at, len },
        }
    }
    MarkSearch::No
}

/// Whether `bytes` begin with a mark.
fn look(bytes: &[u8], mark: &[u8]) -> MarkSearch {
    let Some(rest) = bytes.strip_prefix(mark) else {
        let is_part = mark.starts_with(bytes);
        return if is_part { MarkSearch::Maybe { at: 0 } } else { MarkSearch::No };
    };
    match rest {
        [] => MarkSearch::Maybe { at: 0 },
        [b'<' | b'>', note @ ..] => {
            let note = &note[..note.len().min(NOTE_MAX)];
            match note.iter().position(|&byte| byte == b';') {
                Some(end) => MarkSearch::Mark { at: 0, len: mark.len() + 1 + end + 1 },
                None if note.len() < NOTE_MAX => MarkSearch::Maybe { at: 0 },
                None => MarkSearch::No,
            }
        }
        _ => MarkSearch::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::mark::known;

    /// The output that a scanner passes on, and the texts of its marks.
    fn scan(pieces: &[&[u8]]) -> (Vec<u8>, Option<String>, Option<String>) {
        let mut scanner = Scanner::new(&known(7));
        let mut got = Vec::new();
        for piece in pieces {
            scanner.feed(piece, &mut |bytes| got.extend(bytes));
        }
        (got, scanner.begin, scanner.end)
    }

    fn stream(output: &[u8]) -> Vec<u8> {
        let mark = known(7);
        let mut bytes = format!("noise@@{mark}<12 session;").into_bytes();
        bytes.extend(output);
        bytes.extend(format!("{mark}>137;late").bytes());
        bytes
    }

    #[track_caller]
    fn case(output: &[u8]) {
        let bytes = stream(output);
        for cut in 0..=bytes.len() {
            let (got, begin, end) = scan(&[&bytes[..cut], &bytes[cut..]]);
            assert_eq!(got, output, "cut at {cut}");
            assert_eq!(begin.as_deref(), Some("12 session"), "cut at {cut}");
            assert_eq!(end.as_deref(), Some("137"), "cut at {cut}");
        }
        let (got, ..) = scan(&bytes.chunks(1).collect::<Vec<_>>());
        assert_eq!(got, output, "byte by byte");
    }

    #[test]
    fn marks_are_found_wherever_the_stream_is_cut() {
        case(b"");
        case(b"plain\n");
        case(b"@@@feedface");
        case(&(0..=255).collect::<Vec<u8>>());
    }

    #[test]
    fn near_marks_are_output() {
        let other = known(71);
        case(format!("{other}>0;").as_bytes());
        case(format!("{}x", known(7)).as_bytes());
        case(format!("{}>{}", known(7), "9".repeat(NOTE_MAX)).as_bytes());
    }

    #[test]
    fn binary_noise_passes_whole() {
        let mut state = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(1 << 20)
        .collect();
        let bytes = stream(&noise);
        for size in [1000, 4096, 65_537] {
            let (got, _, end) = scan(&bytes.chunks(size).collect::<Vec<_>>());
            assert!(got == noise, "in pieces of {size}");
            assert_eq!(end.as_deref(), Some("137"));
        }
    }

    #[test]
    fn output_is_passed_on_before_the_end_is_known() {
        let mark = known(7);
        let (got, ..) = scan(&[format!("{mark}<1 session;first line@").as_bytes()]);
        assert_eq!(got, b"first line");
    }

    #[test]
    fn an_end_without_a_beginning_keeps_the_last_words() {
        let mut scanner = Scanner::new(&known(7));
        let text = format!("sh: 1: Cannot fork\n{}>2;", known(7));
        scanner.feed(text.as_bytes(), &mut |_| panic!("nothing is between marks"));
        assert_eq!(scanner.end(), Some("2"));
        assert_eq!(scanner.stray(), b"sh: 1: Cannot fork\n");
    }
}
