//! A kind of project: its recipe, its settings, and how a web server serves it.

use toml::Value;

/// What `runner.toml` names as the recipe.
#[derive(Debug, Clone, PartialEq)]
pub enum RecipeBase {
    /// None: the standard library suffices.
    Nothing,
    Shipped(&'static str),
    /// The text of a `deploy.rhai` to write.
    Own(String),
}

/// What the web server has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum ServedBy {
    /// `is_single_page`: unknown paths get `index.html`.
    Files {
        is_single_page: bool,
    },
    Php,
    /// The application listens on a port of its own, and a service runs `command` in `current`.
    Process {
        port: u16,
        command: String,
        env: &'static str,
    },
}

/// A setting to write into `runner.toml`, or only to show there in a comment.
#[derive(Debug, Clone, PartialEq)]
pub struct ProposedSetting {
    /// `KEY.add` appends to a list of the recipe.
    pub key: String,
    pub value: Value,
    pub comment: String,
    pub is_commented_out: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ProjectKind {
    /// `Laravel`, `a static site made by Astro`.
    pub name: String,
    /// The files by which it was recognised.
    pub marks: Vec<String>,
    pub base: RecipeBase,
    pub settings: Vec<ProposedSetting>,
    /// What the recipe shares and lets the application write by itself.
    pub shared: Vec<String>,
    /// The web server's root, below `current`; empty: `current` itself.
    pub web_root: String,
    pub serving: ServedBy,
    /// Shared files that must be on a server before the first deploy, each with whether the one that is here can be copied.
    pub needs: Vec<(String, Need)>,
}

/// Where a shared file comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The server has its own.
    Written,
    /// An empty file will do.
    Empty,
}

impl ProjectKind {
    pub fn new(name: &str, marks: &[&str], base: RecipeBase, serving: ServedBy) -> Self {
        Self {
            name: name.to_owned(),
            marks: marks.iter().filter(|mark| !mark.is_empty()).map(|mark| (*mark).to_owned()).collect(),
            base,
            settings: Vec::new(),
            shared: Vec::new(),
            web_root: String::new(),
            serving,
            needs: Vec::new(),
        }
    }

    /// Deploys all of the project, as other tools do, where the web server's root lies below `current`.
    pub fn whole(mut self) -> Self {
        let is_plain = matches!(self.base, RecipeBase::Nothing);
        let place = self.settings.iter().position(|setting| setting.key == "source").filter(|_| is_plain);
        if let Some(place) = place {
            let setting = self.settings.remove(place);
            self.web_root = setting.value.as_str().unwrap_or_default().to_owned();
        }
        self
    }

    pub fn web_root(self, below: &str) -> Self {
        Self { web_root: below.to_owned(), ..self }
    }

    pub fn set(mut self, key: &str, value: impl Into<Value>, comment: &str) -> Self {
        let (key, comment) = (key.to_owned(), comment.to_owned());
        self.settings.push(ProposedSetting { key, value: value.into(), comment, is_commented_out: false });
        self
    }

    pub fn list<'a>(self, key: &str, values: impl IntoIterator<Item = &'a str>, comment: &str) -> Self {
        let values: Vec<Value> = values.into_iter().map(Value::from).collect();
        match values.is_empty() {
            true => self,
            false => self.set(key, values, comment),
        }
    }

    /// A line that does nothing until its user wants it.
    pub fn shown(mut self, key: &str, value: impl Into<Value>, comment: &str) -> Self {
        let (key, comment) = (key.to_owned(), comment.to_owned());
        self.settings.push(ProposedSetting { key, value: value.into(), comment, is_commented_out: true });
        self
    }

    /// What the recipe shares by itself.
    pub fn shares<'a>(mut self, paths: impl IntoIterator<Item = &'a str>) -> Self {
        self.shared.extend(paths.into_iter().map(str::to_owned));
        self
    }

    pub fn needs(mut self, file: &str, need: Need) -> Self {
        self.needs.push((file.to_owned(), need));
        self
    }
}
