//! Static sites that a program builds on this machine: which program, its command, and where it puts the site.

use crate::here::recognise::kind::{ProjectKind, RecipeBase, ServedBy};
use crate::here::recognise::marks::{Marks, quoted_after};
use crate::here::recognise::node_packages::NodePackage;

/// A generator of npm: its package, its name, and where it puts the site.
struct Generator {
    package: &'static str,
    name: &'static str,
    output: &'static str,
    /// The key of its configuration that names another output.
    output_key: &'static str,
    configs: &'static [&'static str],
    /// What builds the site if `package.json` has no script for it.
    command: &'static str,
    /// Unknown paths get `index.html`.
    is_single_page: bool,
}

const fn generator(
    package: &'static str,
    name: &'static str,
    output: &'static str,
    command: &'static str,
) -> Generator {
    Generator { package, name, output, output_key: "outDir", configs: &[], command, is_single_page: false }
}

const fn single_page(of: Generator) -> Generator {
    Generator { is_single_page: true, ..of }
}

const VITE: &[&str] = &["vite.config.ts", "vite.config.js", "vite.config.mjs", "vite.config.mts"];
const ASTRO: &[&str] = &["astro.config.mjs", "astro.config.ts", "astro.config.js"];

/// Those that others are built on come last.
const GENERATORS: [Generator; 12] = [
    generator("vitepress", "VitePress", ".vitepress/dist", "vitepress build"),
    generator("@docusaurus/core", "Docusaurus", "build", "docusaurus build"),
    generator("gatsby", "Gatsby", "public", "gatsby build"),
    Generator { configs: ASTRO, ..generator("astro", "Astro", "dist", "astro build") },
    Generator {
        output_key: "output",
        configs: &[".eleventy.js", "eleventy.config.js", "eleventy.config.mjs", "eleventy.config.cjs"],
        ..generator("@11ty/eleventy", "Eleventy", "_site", "@11ty/eleventy")
    },
    generator("hexo", "Hexo", "public", "hexo generate"),
    generator("gridsome", "Gridsome", "dist", "gridsome build"),
    single_page(generator("@angular/core", "Angular", "dist", "ng build")),
    single_page(generator("react-scripts", "Create React App", "build", "react-scripts build")),
    single_page(generator("@vue/cli-service", "Vue CLI", "dist", "vue-cli-service build")),
    generator("parcel", "Parcel", "dist", "parcel build"),
    single_page(Generator { configs: VITE, ..generator("vite", "Vite", "dist", "vite build") }),
];

/// A site that a generator builds.
pub fn generated(marks: &Marks) -> Option<ProjectKind> {
    of_npm(marks).or_else(|| of_other_languages(marks))
}

fn of_npm(marks: &Marks) -> Option<ProjectKind> {
    let package = NodePackage::read(marks)?;
    let generator = GENERATORS.iter().find(|generator| package.depends_on(generator.package))?;
    let is_vitepress = generator.package == "vitepress";
    let scripts = if is_vitepress { ["docs:build", "build"] } else { ["build", "generate"] };
    let command = match scripts.into_iter().find(|script| package.script(script).is_some()) {
        Some(script) => package.manager.run(script),
        None => package.manager.execute(generator.command),
    };
    let script = package.script(scripts[0]).unwrap_or_default();
    let output = match generator.package {
        "vitepress" => vitepress_output(script),
        "@angular/core" => angular_output(marks),
        _ => configured_output(marks, generator).unwrap_or_else(|| generator.output.to_owned()),
    };
    let mark = generator.configs.iter().find(|config| marks.has(config)).unwrap_or(&"package.json");
    Some(built(
        generator.name,
        mark,
        &[package.manager.install(), &command],
        &output,
        generator.is_single_page,
    ))
}

fn configured_output(marks: &Marks, generator: &Generator) -> Option<String> {
    generator.configs.iter().find_map(|config| quoted_after(&marks.text(config), generator.output_key))
}

/// `vitepress build docs` builds into `docs/.vitepress/dist`.
fn vitepress_output(script: &str) -> String {
    let of_build = script.split("vitepress build").nth(1).unwrap_or_default();
    match of_build.split_whitespace().next().filter(|word| !word.starts_with(['-', '&'])) {
        Some(directory) => format!("{}/.vitepress/dist", directory.trim_end_matches('/')),
        None => ".vitepress/dist".to_owned(),
    }
}

/// Angular 17 and later build into `dist/NAME/browser`.
fn angular_output(marks: &Marks) -> String {
    let file = marks.json("angular.json");
    let project = file["projects"].as_object().and_then(|projects| projects.iter().next());
    let Some((name, project)) = project else { return "dist".to_owned() };
    let build = &project["architect"]["build"];
    let builder = build["builder"].as_str().unwrap_or_default();
    match build["options"]["outputPath"].as_str() {
        Some(path) if builder.ends_with(":browser") => path.to_owned(),
        Some(path) => format!("{path}/browser"),
        None => format!("dist/{name}/browser"),
    }
}

fn of_other_languages(marks: &Marks) -> Option<ProjectKind> {
    hugo(marks).or_else(|| jekyll(marks)).or_else(|| others(marks))
}

fn hugo(marks: &Marks) -> Option<ProjectKind> {
    let config =
        marks.first(&["hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json", "config/_default/hugo.toml"]);
    // Before Hugo 0.110, its configuration had a name that others have, too.
    let old = || {
        let is_hugo = marks.has("archetypes/default.md") || marks.has_directory("themes");
        marks.first(&["config.toml", "config.yaml"]).filter(|_| is_hugo && marks.has_directory("content"))
    };
    let config = config.or_else(old)?;
    let output = quoted_after(&marks.text(config), "publishDir").unwrap_or_else(|| "public".to_owned());
    Some(built("Hugo", config, &["hugo --minify --cleanDestinationDir"], &output, false))
}

fn jekyll(marks: &Marks) -> Option<ProjectKind> {
    let config = marks.first(&["_config.yml", "_config.yaml"])?;
    let gemfile = marks.text("Gemfile");
    let is_jekyll =
        gemfile.contains("jekyll") || gemfile.contains("github-pages") || marks.has_directory("_posts");
    let commands: &[&str] = match marks.has("Gemfile") {
        true => &["bundle install", "JEKYLL_ENV=production bundle exec jekyll build"],
        false => &["JEKYLL_ENV=production jekyll build"],
    };
    let text = marks.text(config);
    let destination = text.lines().find_map(|line| line.strip_prefix("destination:")).map(str::trim);
    let output = destination.unwrap_or("_site").trim_matches(['"', '\'']).trim_start_matches("./");
    is_jekyll.then(|| built("Jekyll", config, commands, output, false))
}

fn others(marks: &Marks) -> Option<ProjectKind> {
    let (name, config, command, output) = match () {
        () if marks.text("config.toml").contains("base_url") && marks.has_directory("content") => {
            ("Zola", "config.toml", "zola build", "public")
        }
        () if marks.has("mkdocs.yml") => ("MkDocs", "mkdocs.yml", "mkdocs build", "site"),
        () if marks.has("book.toml") => ("mdBook", "book.toml", "mdbook build", "book"),
        () if marks.has("pelicanconf.py") => {
            ("Pelican", "pelicanconf.py", "pelican content -s publishconf.py", "output")
        }
        () => return None,
    };
    Some(built(name, config, &[command], output, false))
}

/// A site that commands build into `output`. Only that directory is sent, so it is what `current` is.
pub fn built(name: &str, mark: &str, commands: &[&str], output: &str, is_single_page: bool) -> ProjectKind {
    let (output, unread) = match is_below_the_project(output) {
        true => (output, ""),
        false => {
            ("dist", "// Where the build puts its output could not be read: change this if it is wrong.\n")
        }
    };
    let lines: Vec<String> = commands.iter().map(|command| format!("    local({command:?});\n")).collect();
    let recipe = format!(
        "//! Builds this site with {name} on this machine, and deploys the directory `{output}`.\n\n\
         {unread}set(\"source\", {output:?});\n\
         // Git ignores what is built; send it all the same.\n\
         set(\"include\", [\"/*\"]);\n\n\
         /// Builds the site.\n\
         fn build() {{\n{}}}\n\n\
         task(\"build\", build);\n",
        lines.concat()
    );
    ProjectKind::new(
        &format!("a static site that {name} builds into `{output}/`"),
        &[mark],
        RecipeBase::Own(recipe),
        ServedBy::Files { is_single_page },
    )
}

/// Whether the text names a directory below the project, in letters that mean nothing to a recipe. It is from a file of the
/// project, which anybody may have written.
fn is_below_the_project(output: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    !output.is_empty()
        && output.chars().all(is_plain)
        && !output.starts_with(['/', '-'])
        && output.split('/').all(|part| part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vitepress_builds_below_the_directory_that_its_script_names() {
        assert_eq!(vitepress_output("vitepress build docs"), "docs/.vitepress/dist");
        assert_eq!(vitepress_output("tsc && vitepress build ./website/"), "./website/.vitepress/dist");
        assert_eq!(vitepress_output("vitepress build"), ".vitepress/dist");
        assert_eq!(vitepress_output("vitepress build && echo"), ".vitepress/dist");
    }
}
