//! Applications in PHP: Laravel, Symfony, and any other.

use crate::here::recognise::kind::{Need, ProjectKind, RecipeBase, ServedBy};
use crate::here::recognise::marks::Marks;

pub fn laravel(marks: &Marks) -> Option<ProjectKind> {
    if !marks.has("artisan") || !(marks.requires("laravel/framework") || marks.has("bootstrap/app.php")) {
        return None;
    }
    let shared =
        [".env", "storage/app/", "storage/logs/", "storage/framework/sessions/", "storage/framework/cache/"];
    let kind = ProjectKind::new(
        "Laravel",
        &["artisan", "composer.json"],
        RecipeBase::Shipped("laravel"),
        ServedBy::Php,
    );
    let kind = kind.web_root("public").shares(shared).needs(".env", Need::Written);
    // Laravel 11 brought the health page that the recipe asks for; older applications have only their own pages.
    match marks.text("bootstrap/app.php").contains("health:") {
        true => Some(kind),
        false => Some(kind.set("health", "/", "the page that is asked before and after the swap")),
    }
}

pub fn symfony(marks: &Marks) -> Option<ProjectKind> {
    if !marks.has("bin/console") || !marks.requires("symfony/framework-bundle") {
        return None;
    }
    let kind = ProjectKind::new(
        "Symfony",
        &["bin/console", "composer.json"],
        RecipeBase::Own(symfony_recipe(marks)),
        ServedBy::Php,
    );
    Some(kind.web_root("public").shares([".env.local", "var/log/"]).needs(".env.local", Need::Written))
}

fn symfony_recipe(marks: &Marks) -> String {
    let mut prepare = vec!["php bin/console cache:clear --no-debug"];
    if marks.has_directory("assets") && marks.has("importmap.php") {
        prepare.push("php bin/console importmap:install");
        prepare.push("php bin/console asset-map:compile");
    }
    prepare.push("php bin/console assets:install public");
    let prepare: Vec<String> =
        prepare.iter().map(|command| format!("    host.run({command:?});\n")).collect();
    let webpack = "\n    if packages::needs(\"npm\", \"package.json\") {\n        packages::npm();\n        \
                   local(\"npm run build\", #{ cwd: get(\"source\") });\n    }";
    let webpack = if marks.has("webpack.config.js") { webpack } else { "" };
    let (migrate, migrate_task) = match marks.has_directory("migrations") {
        true => (
            "\n/// Migrates the database. The release before must work with the new schema.\nfn migrate(host) {\n    \
             host.run(\"php bin/console doctrine:migrations:migrate --no-interaction --allow-no-migration\");\n}\n",
            "task(\"migrate\", migrate).once();\nafter(\"prepare\", \"migrate\");\n",
        ),
        false => ("", ""),
    };
    format!(
        "//! Deploys this Symfony application: packages are installed here, caches are warmed on the server.\n\n\
         import \"packages\" as packages;\nimport \"php\" as php;\n\n\
         set(\"front\", \"public/index.php\");\n\
         set(\"env\", #{{ APP_ENV: \"prod\", APP_DEBUG: \"0\" }});\n\
         // The secrets of the server; `.env` has only defaults, and travels.\n\
         set(\"shared\", [\".env.local\", \"var/log/\"]);\n\
         add(\"include\", [\"/.env\", \"/.env.prod\", \"/public/bundles/\"]);\n\
         set(\"exclude\", [\"/tests/\", \"node_modules/\", \"/var/\"]);\n\
         set(\"generated\", [\"var/cache/\"]);\n\
         set(\"writable\", [\"var/cache/\", \"var/log/\"]);\n\n\
         /// Installs packages on this machine.\n\
         fn build() {{\n    if packages::needs(\"composer\", \"composer.json\") {{ packages::composer(); }}{webpack}\n}}\n\n\
         /// Warms the caches of the release before it is live.\n\
         fn prepare(host) {{\n{}}}\n{migrate}\n\
         task(\"build\", build);\ntask(\"prepare\", prepare);\n{migrate_task}",
        prepare.concat()
    )
}

/// PHP without a framework that is known.
pub fn plain(marks: &Marks) -> Option<ProjectKind> {
    let roots = ["public", "web", "public_html", "htdocs", "www", "webroot", ""];
    let index =
        |root: &str| if root.is_empty() { "index.php".to_owned() } else { format!("{root}/index.php") };
    let root = roots.into_iter().find(|root| marks.has(&index(root)))?;
    let front = index(root);
    let (import, build) = match marks.has("composer.json") {
        true => (
            "import \"packages\" as packages;\n",
            "\n/// Installs packages on this machine.\nfn build() {\n    \
             if packages::needs(\"composer\", \"composer.json\") { packages::composer(); }\n}\n\ntask(\"build\", build);\n",
        ),
        false => ("", ""),
    };
    let uploads = ["uploads", "media", "files", "upload"];
    let places = uploads.map(|name| if root.is_empty() { name.to_owned() } else { format!("{root}/{name}") });
    let mut shared: Vec<String> =
        places.into_iter().filter(|place| marks.has_directory(place)).map(|place| place + "/").collect();
    let has_env = marks.has(".env") || marks.has(".env.example");
    if has_env {
        shared.insert(0, ".env".to_owned());
    }
    let list = if shared.is_empty() {
        String::new()
    } else {
        format!("// These outlive releases: `shared/` keeps them.\nset(\"shared\", {shared:?});\n")
    };
    let recipe = format!(
        "//! Deploys this PHP application.\n\n{import}import \"php\" as php;\n\nset(\"front\", {front:?});\n{list}{build}"
    );
    let kind = ProjectKind::new("PHP", &[&front], RecipeBase::Own(recipe), ServedBy::Php).web_root(root);
    let kind = kind.shares(shared.iter().map(String::as_str));
    Some(if has_env { kind.needs(".env", Need::Written) } else { kind })
}
