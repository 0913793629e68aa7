//! The options of `init` alone.

use crate::event::Report;

#[derive(Debug, clap::Args)]
pub struct InitOptions {
    /// With `init`: the deploy path on every host
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,

    /// With `init`: the user to log in as
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
}

impl InitOptions {
    /// Fails if one of them is given. For the other verbs.
    pub fn refuse(&self) -> Result<(), Report> {
        let given = [("--path", &self.path), ("--user", &self.user)];
        match given.iter().find(|(_, value)| value.is_some()) {
            Some((option, _)) => Err(Report::new(format!("`{option}` is an option of `init`"))
                .hint("for other verbs, `path` and `user` are in `runner.toml`")),
            None => Ok(()),
        }
    }
}
