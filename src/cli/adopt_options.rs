//! The options of `adopt` alone.

use crate::event::Report;

#[derive(Debug, clap::Args)]
pub struct AdoptOptions {
    /// With `adopt`: takes it back, if nothing was deployed since
    #[arg(long)]
    pub undo: bool,

    /// With `adopt`: where the site of a directory that is served as it is will be; by default, beside it
    #[arg(long, value_name = "PATH", conflicts_with = "undo")]
    pub to: Option<String>,
}

impl AdoptOptions {
    /// Fails if one of them is given. For the other verbs.
    pub fn refuse(&self) -> Result<(), Report> {
        match self.undo || self.to.is_some() {
            true => Err(Report::new("`--undo` and `--to` are options of `adopt`")),
            false => Ok(()),
        }
    }
}
