//! The answers of this layer's scripts: fields `key=value`, each followed by NUL.

use anyhow::Result;

use crate::event::Report;
use crate::shell::Answer;
use crate::tree::TreePath;

/// The fields of an answer, in their order.
pub struct Fields(Vec<(String, Vec<u8>)>);

/// The report of `reach_lib.sh` that a path was not followed, if a script refused for that reason.
pub fn unfollowed(why: &str) -> Option<Report> {
    let hint = match why.contains("leads outside it") {
        true => "let the link point inside the release, or share the path",
        false => {
            "on the server: if it should be no link, make a directory of it; otherwise let nobody else write in the directories on the way (`chmod go-w`)"
        }
    };
    why.contains("refused to follow `").then(|| Report::new(why).hint(hint))
}

impl Fields {
    /// Reads the answer of a script whose last field is `end`. It is an error if the script refused, failed or ended
    /// early.
    pub fn read(answer: &Answer, end: &str) -> Result<Self> {
        let fields = Self::parse(&answer.stdout);
        if let Some(why) = fields.get("refused") {
            return Err(unfollowed(&why).map_or_else(|| failed(&why, answer), Into::into));
        }
        if !answer.exit.is_success() {
            return Err(failed(&format!("a script on the server {}", answer.exit), answer));
        }
        if fields.get(end).is_none() {
            return Err(failed("a script on the server ended early", answer));
        }
        Ok(fields)
    }

    pub fn parse(stdout: &[u8]) -> Self {
        let fields = stdout
            .split(|&byte| byte == 0)
            .filter_map(|field| {
                let at = field.iter().position(|&byte| byte == b'=')?;
                let key = String::from_utf8_lossy(&field[..at]).into_owned();
                Some((key, field[at + 1..].to_vec()))
            })
            .collect();
        Self(fields)
    }

    /// The parts that begin with each `key`.
    pub fn parts(&self, key: &str) -> impl Iterator<Item = Self> {
        let begins: Vec<usize> = (0..self.0.len()).filter(|&n| self.0[n].0 == key).collect();
        let ends = begins.iter().skip(1).copied().chain([self.0.len()]).collect::<Vec<_>>();
        begins.into_iter().zip(ends).map(|(begin, end)| Self(self.0[begin..end].to_vec()))
    }

    pub fn get(&self, key: &str) -> Option<String> {
        self.bytes(key).next().map(lossy)
    }

    pub fn list(&self, key: &str) -> Vec<String> {
        self.bytes(key).map(lossy).collect()
    }

    /// Values that are file names, byte for byte.
    pub fn bytes<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_slice())
    }

    /// Values that are paths as `lines` of lib.sh encodes them: \1 stands for a newline.
    pub fn paths<'a>(&'a self, key: &'a str) -> impl Iterator<Item = TreePath> {
        let decoded = |line: &[u8]| -> Vec<u8> {
            line.iter().map(|&byte| if byte == 1 { b'\n' } else { byte }).collect()
        };
        self.bytes(key).filter_map(move |line| TreePath::new(&decoded(line)).ok())
    }

    pub fn byte_list(&self, key: &str) -> Vec<Vec<u8>> {
        self.bytes(key).map(<[u8]>::to_vec).collect()
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The error `why` of a script, with the last lines of its standard error.
fn failed(why: &str, answer: &Answer) -> anyhow::Error {
    let text = String::from_utf8_lossy(&answer.stderr);
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(5)..].iter();
    last.fold(Report::new(why), |report, line| report.note(*line)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::layout::plain;
    use crate::shell::Exit;

    fn answer(exit: Exit, stdout: &str, stderr: &str) -> Answer {
        Answer { exit, stdout: stdout.into(), stderr: stderr.into() }
    }

    #[test]
    fn a_refusal_and_a_failure_and_a_silence_are_errors() {
        let read = |exit, out, err| {
            Fields::read(&answer(exit, out, err), "done").err().map(|e| plain(&Report::of(&e)))
        };
        let refused = read(Exit::Code(1), "refused=no room\0", "df: 0\n");
        assert_eq!(refused.as_deref(), Some("no room\n = df: 0"));
        assert_eq!(
            read(Exit::Signal(9), "done=yes\0", "").as_deref(),
            Some("a script on the server was killed by signal 9")
        );
        assert_eq!(read(Exit::Code(0), "a=b\0", "").as_deref(), Some("a script on the server ended early"));
        assert_eq!(read(Exit::Code(0), "a=b\0done=yes\0", ""), None);
    }
}
