//! `package.json`: scripts, dependencies, and the package manager that the lock file belongs to.

use serde_json::Value;

use crate::here::recognise::marks::Marks;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageManager {
    Npm,
    /// npm without a lock file.
    UnlockedNpm,
    Pnpm,
    Yarn,
    /// Yarn 2 and later.
    ModernYarn,
    Bun,
}

pub struct NodePackage {
    file: Value,
    pub manager: PackageManager,
}

impl NodePackage {
    /// `None` without a `package.json`.
    pub fn read(marks: &Marks) -> Option<Self> {
        let file = marks.json("package.json");
        file.is_object().then(|| Self { manager: PackageManager::of(marks, &file), file })
    }

    pub fn depends_on(&self, package: &str) -> bool {
        ["dependencies", "devDependencies"].iter().any(|key| self.file[key].get(package).is_some())
    }

    /// The command of a script, if there is one.
    pub fn script(&self, name: &str) -> Option<&str> {
        self.file["scripts"].get(name)?.as_str().filter(|command| !command.is_empty())
    }

    /// The file that `node .` runs.
    pub fn main(&self) -> Option<&str> {
        self.file["main"].as_str()
    }
}

impl PackageManager {
    fn of(marks: &Marks, file: &Value) -> Self {
        let named = file["packageManager"].as_str().unwrap_or_default();
        let is_modern_yarn = || {
            marks.has(".yarnrc.yml")
                || marks.text("yarn.lock").contains("__metadata:")
                || named.strip_prefix("yarn@").is_some_and(|version| !version.starts_with("1."))
        };
        match () {
            () if marks.has("pnpm-lock.yaml") => Self::Pnpm,
            () if marks.has("bun.lock") || marks.has("bun.lockb") => Self::Bun,
            () if marks.has("yarn.lock") && is_modern_yarn() => Self::ModernYarn,
            () if marks.has("yarn.lock") => Self::Yarn,
            () if marks.has("package-lock.json") || marks.has("npm-shrinkwrap.json") => Self::Npm,
            () => Self::UnlockedNpm,
        }
    }

    /// The file that pins versions, for messages.
    pub fn lock_file(self) -> Option<&'static str> {
        match self {
            Self::Npm => Some("package-lock.json"),
            Self::UnlockedNpm => None,
            Self::Pnpm => Some("pnpm-lock.yaml"),
            Self::Yarn | Self::ModernYarn => Some("yarn.lock"),
            Self::Bun => Some("bun.lock"),
        }
    }

    pub fn install(self) -> &'static str {
        match self {
            Self::Npm => "npm ci",
            Self::UnlockedNpm => "npm install",
            Self::Pnpm => "pnpm install --frozen-lockfile",
            Self::Yarn => "yarn install --frozen-lockfile",
            Self::ModernYarn => "yarn install --immutable",
            Self::Bun => "bun install --frozen-lockfile",
        }
    }

    /// Removes the packages that only the build needs.
    pub fn prune(self) -> &'static str {
        match self {
            Self::Npm | Self::UnlockedNpm => "npm prune --omit=dev",
            Self::Pnpm => "CI=true pnpm prune --prod",
            Self::Yarn => "yarn install --frozen-lockfile --production --ignore-scripts --prefer-offline",
            Self::ModernYarn => "yarn workspaces focus --production",
            Self::Bun => "rm -rf node_modules && bun install --frozen-lockfile --production",
        }
    }

    /// Runs a script of `package.json`.
    pub fn run(self, script: &str) -> String {
        match self {
            Self::Npm | Self::UnlockedNpm => format!("npm run {script}"),
            Self::Pnpm => format!("pnpm run {script}"),
            Self::Yarn | Self::ModernYarn => format!("yarn run {script}"),
            Self::Bun => format!("bun run {script}"),
        }
    }

    /// Runs a program of `node_modules/`.
    pub fn execute(self, command: &str) -> String {
        match self {
            Self::Npm | Self::UnlockedNpm => format!("npx {command}"),
            Self::Pnpm => format!("pnpm exec {command}"),
            Self::Yarn | Self::ModernYarn => format!("yarn {command}"),
            Self::Bun => format!("bunx {command}"),
        }
    }
}
