//! Ruby on Rails.

use std::fmt::Write;

use crate::here::recognise::kind::{Need, ProjectKind, RecipeBase, ServedBy};
use crate::here::recognise::marks::Marks;

pub fn rails(marks: &Marks, application: &str) -> Option<ProjectKind> {
    if !marks.has("config/application.rb") || !marks.text("Gemfile").contains("rails") {
        return None;
    }
    let key = marks.first(&["config/credentials/production.key", "config/master.key"]);
    // The key of credentials is no part of a repository; older applications have `secrets.yml` or the environment.
    let key = key.or_else(|| marks.has("config/credentials.yml.enc").then_some("config/master.key"));
    let mut shared: Vec<&str> = key.into_iter().collect();
    shared.extend(["log/", "tmp/pids/", "tmp/sockets/", "storage/", "vendor/bundle/"]);
    let recipe = recipe(marks, &shared, application);
    let command = "bundle exec puma -b tcp://127.0.0.1:3000 -e production".to_owned();
    let serving =
        ServedBy::Process { port: 3000, command, env: "RAILS_ENV=production BUNDLE_PATH=vendor/bundle" };
    let kind =
        ProjectKind::new("Rails", &["config/application.rb", "Gemfile"], RecipeBase::Own(recipe), serving);
    let kind = kind.web_root("public").shares(shared.iter().copied());
    Some(key.into_iter().fold(kind, |kind, key| kind.needs(key, Need::Written)))
}

fn recipe(marks: &Marks, shared: &[&str], application: &str) -> String {
    let mut text = "//! Deploys this Rails application.\n\n".to_owned();
    let _ = writeln!(text, "// These outlive releases: `shared/` keeps them.\nset(\"shared\", {shared:?});");
    text += "set(\"exclude\", [\"/log/\", \"/tmp/\", \"/storage/\", \"/test/\", \"/spec/\", \"node_modules/\", \"*.key\"]);\n";
    text += "set(\"generated\", [\"public/assets/\", \"tmp/cache/\", \".bundle/\"]);\n";
    text += "set(\"env\", #{ RAILS_ENV: \"production\", BUNDLE_PATH: \"vendor/bundle\", BUNDLE_WITHOUT: \"development:test\", BUNDLE_DEPLOYMENT: \"true\" });\n\n";
    text += "desc(\"The command that restarts the application in the new `current`.\");\n";
    let _ = writeln!(text, "set(\"restart\", \"sudo -n systemctl restart {application}\");\n");
    text += "/// Installs gems and compiles assets, before the release is live.\nfn prepare(host) {\n";
    text += "    host.run(\"bundle install --quiet\");\n";
    if marks.has_directory("app/assets") || marks.has_directory("app/javascript") {
        text += "    host.run(\"bundle exec rails assets:precompile\");\n";
    }
    text += "}\n\n/// Migrates the database. The release before must work with the new schema.\n";
    text += "fn migrate(host) { host.run(\"bundle exec rails db:migrate\"); }\n\n";
    text += "task(\"prepare\", prepare);\n";
    if marks.has_directory("db") {
        text += "task(\"migrate\", migrate).once();\nafter(\"prepare\", \"migrate\");\n";
    }
    text += "task(\"reload\", |host| host.run(host.get(\"restart\")));\n";
    text
}
