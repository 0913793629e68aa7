//! The tools that are measured side by side, each set up as its manual says.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::bed::Bed;

/// What is asked of each tool, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    First,
    /// Nothing changed since.
    Same,
    /// Twenty files changed.
    Changed,
    /// Twenty more, in a fresh copy of the tree: all files are new on this machine.
    Fresh,
    /// The same, on a machine that never deployed this before.
    FreshAnywhere,
    Rollback,
}

impl Act {
    pub const ALL: [Self; 6] =
        [Self::First, Self::Same, Self::Changed, Self::Fresh, Self::FreshAnywhere, Self::Rollback];

    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first deploy",
            Self::Same => "0 changed",
            Self::Changed => "20 changed",
            Self::Fresh => "20 changed, fresh copy",
            Self::FreshAnywhere => "20 changed, fresh copy, no local cache",
            Self::Rollback => "rollback",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tool {
    Runner,
    /// `rsync --link-dest` and a script that swaps and prunes, over one ControlMaster.
    Rsync,
    /// The same with a connection each.
    RsyncTwice,
    Tar,
    Capistrano,
    Shipit,
}

impl Tool {
    pub const ALL: [Self; 6] =
        [Self::Runner, Self::Rsync, Self::RsyncTwice, Self::Tar, Self::Capistrano, Self::Shipit];

    pub fn name(self) -> &'static str {
        match self {
            Self::Runner => "runner",
            Self::Rsync => "rsync --link-dest",
            Self::RsyncTwice => "rsync, 2 connections",
            Self::Tar => "tar | ssh tar",
            Self::Capistrano => "Capistrano",
            Self::Shipit => "Shipit",
        }
    }

    fn site(self) -> &'static str {
        match self {
            Self::Runner => "runner",
            Self::Rsync => "rsync",
            Self::RsyncTwice => "rsync-twice",
            Self::Tar => "tar",
            Self::Capistrano => "capistrano",
            Self::Shipit => "shipit",
        }
    }

    /// What it is told, if it can be asked for this.
    pub fn command(self, act: Act, bed: &Bed, source: &Path) -> Option<Command> {
        let site = bed.site(self.site());
        let deploys = act != Act::Rollback;
        let script = match self {
            Self::Runner => return Some(runner(bed, act)),
            _ if act == Act::FreshAnywhere => return None,
            Self::Rsync if deploys => format!("{MASTER}{RSYNC}{SWAP}{END}"),
            Self::Rsync => format!("{MASTER}{BACK}{END}"),
            Self::RsyncTwice if deploys => format!("{PLAIN}{RSYNC}{SWAP}"),
            Self::RsyncTwice => format!("{PLAIN}{BACK}"),
            Self::Tar if act == Act::First => TAR.to_owned(),
            Self::Tar => return None,
            Self::Capistrano => return Some(capistrano(bed, deploys)),
            Self::Shipit => return Some(shipit(bed, deploys)),
        };
        let mut command = Command::new("sh");
        command
            .args(["-euc", &script])
            .env("CONFIG", bed.ssh_config())
            .env("SOCKET", bed.path("master"))
            .env("SITE", site)
            .env("SOURCE", source);
        Some(command)
    }

    /// Whether it deploys what was committed.
    pub fn is_from_git(self) -> bool {
        matches!(self, Self::Capistrano | Self::Shipit)
    }

    /// Writes what it reads.
    pub fn set_up(self, bed: &Bed, source: &Path) {
        match self {
            Self::Runner => set_up_runner(bed, source, 1),
            Self::Capistrano => set_up_capistrano(bed),
            Self::Shipit => set_up_shipit(bed),
            Self::Rsync | Self::RsyncTwice | Self::Tar => {}
        }
    }
}

const MASTER: &str = r#"
ssh="ssh -F $CONFIG -S $SOCKET"
$ssh -M -N web1 & master=$!
until [ -S "$SOCKET" ]; do sleep 0.005; done
"#;
const END: &str = r#"
$ssh -O exit web1 2>/dev/null
wait $master || :
"#;
const PLAIN: &str = r#"
ssh="ssh -F $CONFIG"
"#;
// Three releases are kept. `rsync` makes `releases/NAME` but not what is above it.
const RSYNC: &str = r#"
name=$(date -u +%Y%m%d%H%M%S%N)
rsync -a --delete -e "$ssh" --rsync-path="mkdir -p $SITE/releases && rsync" --link-dest=../../current/ \
  "$SOURCE/" "web1:$SITE/releases/$name/"
"#;
const SWAP: &str = r#"
$ssh web1 "cd $SITE && ln -sfn releases/$name new && mv -T new current && cd releases && \
  ls | head -n -3 | xargs -r rm -rf"
"#;
const BACK: &str = r#"
$ssh web1 "cd $SITE && ln -sfn releases/\$(ls releases | tail -n 2 | head -n 1) new && mv -T new current"
"#;
const TAR: &str = r#"
name=$(date -u +%Y%m%d%H%M%S%N)
tar -C "$SOURCE" -cf - . | ssh -F "$CONFIG" web1 "mkdir -p $SITE/releases/$name && cd $SITE && \
  tar -C releases/$name -xf - && ln -sfn releases/$name new && mv -T new current"
"#;

/// The stock flow: settings and nothing else.
pub fn runner(bed: &Bed, act: Act) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
    command
        .arg("-C")
        .arg(bed.path("project"))
        .env("RUNNER_SSH_CONFIG", bed.ssh_config())
        .env("RUNNER_CACHE", bed.path("cache"));
    if act == Act::Rollback {
        command.arg("rollback");
    }
    command
}

pub fn set_up_runner(bed: &Bed, source: &Path, hosts: usize) {
    let project = bed.path("project");
    fs::create_dir_all(&project).unwrap();
    let mut toml = format!(
        "[settings]\nsource = \"{}\"\nhost_keys = \"accept-new\"\n[stage.prod]\nuser = \"{}\"\nhosts = [\n",
        source.display(),
        bed.server.user
    );
    for n in 1..=hosts {
        let site = if n == 1 { "runner".to_owned() } else { format!("runner{n}") };
        toml.push_str(&format!("  {{ address = \"web{n}\", path = \"{}\" }},\n", bed.site(&site).display()));
    }
    toml.push_str("]\n");
    fs::write(project.join("runner.toml"), toml).unwrap();
}

fn capistrano(bed: &Bed, deploys: bool) -> Command {
    let mut command = Command::new("cap");
    command.args(["prod", if deploys { "deploy" } else { "deploy:rollback" }]).current_dir(bed.path("cap"));
    command
}

fn set_up_capistrano(bed: &Bed) {
    let root = bed.path("cap");
    fs::create_dir_all(root.join("config/deploy")).unwrap();
    let capfile = "require \"capistrano/setup\"\nrequire \"capistrano/deploy\"\nrequire \"capistrano/scm/git\"\n\
                   install_plugin Capistrano::SCM::Git\n";
    fs::write(root.join("Capfile"), capfile).unwrap();
    let deploy = format!(
        "set :application, \"shop\"\nset :repo_url, \"{}\"\nset :branch, \"main\"\nset :deploy_to, \"{}\"\n\
         set :tmp_dir, \"{}\"\nset :keep_releases, 3\nset :log_level, :info\nset :format, :simpletext\n",
        bed.site("repo.git").display(),
        bed.site(Tool::Capistrano.site()).display(),
        bed.site("tmp").display()
    );
    fs::write(root.join("config/deploy.rb"), deploy).unwrap();
    let stage = format!(
        "server \"web1\", user: \"{}\", roles: %w[app], ssh_options: {{ config: [\"{}\"], keys: [\"{}\"], \
         verify_host_key: :never }}\n",
        bed.server.user,
        bed.ssh_config().display(),
        bed.path("id_rsa").display()
    );
    fs::write(root.join("config/deploy/prod.rb"), stage).unwrap();
}

fn shipit(bed: &Bed, deploys: bool) -> Command {
    let root = bed.path("shipit");
    let mut command = Command::new(root.join("node_modules/.bin/shipit"));
    let path = format!("{}:{}", root.join("bin").display(), std::env::var("PATH").unwrap());
    command.args(["prod", if deploys { "deploy" } else { "rollback" }]).current_dir(root).env("PATH", path);
    // The repository is the server's user's.
    command.env("GIT_CONFIG_GLOBAL", bed.path("gitconfig"));
    command
}

fn set_up_shipit(bed: &Bed) {
    use std::os::unix::fs::PermissionsExt;
    let root = bed.path("shipit");
    fs::create_dir_all(root.join("bin")).unwrap();
    // It knows no option for another configuration of `ssh`.
    let ssh = root.join("bin/ssh");
    fs::write(&ssh, format!("#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n", bed.ssh_config().display()))
        .unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let file = format!(
        "module.exports = shipit => {{\n  require('shipit-deploy')(shipit)\n  shipit.initConfig({{\n    default: {{\n      \
         repositoryUrl: 'file://{}', branch: 'main', shallowClone: true, deployTo: '{}',\n      keepReleases: 3, \
         deploy: {{ remoteCopy: {{ copyAsDir: false }} }},\n    }},\n    prod: {{ servers: '{}@web1' }},\n  }})\n}}\n",
        bed.site("repo.git").display(),
        bed.site(Tool::Shipit.site()).display(),
        bed.server.user
    );
    fs::write(root.join("shipitfile.js"), file).unwrap();
    let npm = Command::new("npm")
        .args(["install", "--silent", "--no-fund", "--no-audit", "shipit-cli@5", "shipit-deploy@5"])
        .current_dir(&root)
        .output()
        .unwrap();
    assert!(npm.status.success(), "{}", String::from_utf8_lossy(&npm.stderr));
}
