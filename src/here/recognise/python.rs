//! Applications in Python: Django.

use std::fmt::Write;

use crate::here::recognise::kind::{Need, ProjectKind, RecipeBase, ServedBy};
use crate::here::recognise::marks::{Marks, quoted_after};

pub fn django(marks: &Marks, application: &str) -> Option<ProjectKind> {
    let manage = marks.text("manage.py");
    if !manage.contains("DJANGO_SETTINGS_MODULE") {
        return None;
    }
    let module = settings_module(&manage).unwrap_or_else(|| "config.settings".to_owned());
    let package = module.split('.').next().unwrap_or("config").to_owned();
    let settings = marks.text(&format!("{}.py", module.replace('.', "/")));
    let has_database = settings.contains("db.sqlite3");
    let mut shared = Vec::new();
    shared.extend((marks.has(".env") || marks.has(".env.example")).then_some(".env"));
    shared.extend(has_database.then_some("db.sqlite3"));
    shared.extend(settings.contains("MEDIA_ROOT").then_some("media/"));
    let python = if installs(marks).is_some() { ".venv/bin/python" } else { "python3" };
    let recipe = recipe(marks, python, &shared, settings.contains("STATIC_ROOT"), application);
    let gunicorn = if installs(marks).is_some() { ".venv/bin/gunicorn" } else { "gunicorn" };
    let command = format!("{gunicorn} --bind 127.0.0.1:8000 {package}.wsgi");
    let serving = ServedBy::Process { port: 8000, command, env: "PYTHONUNBUFFERED=1" };
    let mut kind = ProjectKind::new("Django", &["manage.py"], RecipeBase::Own(recipe), serving);
    kind = kind.shares(shared.iter().copied());
    for file in shared.into_iter().filter(|path| !path.ends_with('/')) {
        kind = kind.needs(file, if file == ".env" { Need::Written } else { Need::Empty });
    }
    Some(kind)
}

/// `os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')`.
fn settings_module(manage: &str) -> Option<String> {
    let line = manage.lines().find(|line| line.contains("DJANGO_SETTINGS_MODULE"))?;
    quoted_after(&line.replacen(',', ":", 1), "DJANGO_SETTINGS_MODULE")
}

/// What installs the packages of a release on its host, if the project says which they are.
fn installs(marks: &Marks) -> Option<&'static str> {
    Some(match () {
        () if marks.has("uv.lock") => "uv sync --frozen --no-dev",
        () if marks.has("poetry.lock") => {
            "POETRY_VIRTUALENVS_IN_PROJECT=true poetry install --only main --no-interaction"
        }
        () if marks.has("requirements.txt") => {
            "python3 -m venv .venv && .venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt"
        }
        () => return None,
    })
}

fn recipe(marks: &Marks, python: &str, shared: &[&str], collects: bool, application: &str) -> String {
    let mut text = "//! Deploys this Django application.\n\n".to_owned();
    if !shared.is_empty() {
        let _ =
            writeln!(text, "// These outlive releases: `shared/` keeps them.\nset(\"shared\", {shared:?});");
        let private: Vec<String> = shared.iter().map(|path| format!("/{path}")).collect();
        let _ = writeln!(text, "// Those of this machine stay here.\nset(\"exclude\", {private:?});");
    }
    text += "set(\"generated\", [\".venv/\", \"staticfiles/\"]);\n\n";
    text += "desc(\"The command that restarts the application in the new `current`.\");\n";
    let _ = writeln!(text, "set(\"restart\", \"sudo -n systemctl restart {application}\");\n");
    text +=
        "/// Installs packages and collects static files, before the release is live.\nfn prepare(host) {\n";
    if let Some(command) = installs(marks) {
        let _ = writeln!(text, "    host.run({command:?});");
    }
    if collects {
        let _ = writeln!(text, "    host.run(\"{python} manage.py collectstatic --noinput\");");
    }
    let _ = writeln!(text, "    host.run(\"{python} manage.py check\");\n}}\n");
    text += "/// Migrates the database. The release before must work with the new schema.\n";
    let _ = writeln!(text, "fn migrate(host) {{ host.run(\"{python} manage.py migrate --noinput\"); }}\n");
    text +=
        "task(\"prepare\", prepare);\ntask(\"migrate\", migrate).once();\nafter(\"prepare\", \"migrate\");\n";
    text += "task(\"reload\", |host| host.run(host.get(\"restart\")));\n";
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_of_django_are_found_in_manage_py() {
        let manage = "    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n";
        assert_eq!(settings_module(manage).as_deref(), Some("shop.settings"));
    }
}
