//! Commands of a recipe, and what is done when one writes a file that releases share.

use anyhow::{Result, anyhow};

use crate::event::{Report, few};
use crate::release::swap::Phase;
use crate::run::Run;
use crate::shell::Answer;
use crate::site::{Asked, Ran};
use crate::transport::mark::Nonce;
use crate::tree::{Pack, TreePath};

impl Run {
    /// Runs a command. `None` in a plan. A linked file that it wrote in place is put back at once, and is a failure.
    pub fn command(&self, host: usize, asked: &Asked) -> Result<Option<Answer>> {
        let tag = Nonce::random().mark(0).to_string();
        let ran = self.site(host).run(asked, &tag)?;
        match ran {
            Ran::Planned => Ok(None),
            Ran::Done(answer, written) if written.is_empty() => Ok(Some(answer)),
            Ran::Done(answer, written) => {
                let mut report = self.put_back(host, &written, Some(&asked.text));
                if !answer.exit.is_success() {
                    report = report.note(format!("besides, it {}", answer.exit));
                }
                Err(report.into())
            }
        }
    }

    pub fn seal(&self, host: usize) -> Result<()> {
        let written = self.site(host).seal()?;
        self.has_none_written(host, &written)
    }

    /// A step of the swap, on one host.
    pub(super) fn swap_one(&self, host: usize, phase: Phase) -> Result<()> {
        let written = self.site(host).swap(phase)?;
        self.has_none_written(host, &written)
    }

    fn has_none_written(&self, host: usize, written: &[TreePath]) -> Result<()> {
        match written.is_empty() {
            true => Ok(()),
            false => Err(self.put_back(host, written, None).into()),
        }
    }

    /// Restores what was written in place, and says who wrote it.
    fn put_back(&self, host: usize, written: &[TreePath], command: Option<&str>) -> Report {
        let who = command.map_or("a command".to_owned(), |text| format!("`{text}`"));
        let report = Report::new(format!(
            "{who} wrote {} in place, which is one file with the release being served",
            few(written)
        ));
        let first = &written[0];
        match self.restore(host, written) {
            Ok(()) => report.note("it was put back in every release").hint(format!(
                "declare what commands write: `add(\"generated\", [\"{first}\"])`, or let the command write a new file"
            )),
            Err(error) => report
                .note(format!("and it could not be put back: {error:#}"))
                .hint("deploy the same source again: the files are sent anew"),
        }
    }

    fn restore(&self, host: usize, written: &[TreePath]) -> Result<()> {
        let mut tree = (*self.source.tree()?).clone();
        let mut site = self.site(host);
        let mut send = Vec::new();
        for path in written {
            let index = tree.position(path).ok_or_else(|| anyhow!("`{path}` is not in the source"))?;
            // As the releases have it, whose manifests speak of that time.
            if let Some(line) = site.guarded().and_then(|(_, manifest)| manifest.get(path)) {
                tree.entries[index].mtime = line.entry.mtime;
            }
            send.push(index);
        }
        let pack = Pack::new(&tree, &self.source.contents, &send, b".runner/restore", &[])?;
        site.restore(written, &pack)
    }

    /// A command that was cut off could not be asked what it wrote: what it did to other releases is put right before
    /// its own goes.
    pub(super) fn mend(&self, host: usize) -> Result<()> {
        let written = self.site(host).inspect()?;
        if written.is_empty() {
            return Ok(());
        }
        self.restore(host, &written)?;
        self.warn(format!("{} was written in place and is put back in every release", few(&written)));
        Ok(())
    }
}
