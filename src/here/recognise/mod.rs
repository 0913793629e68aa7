//! Recognises what kind of project a directory has, and what it takes to deploy it. Reads a few files and runs nothing.

mod generators;
pub mod kind;
mod marks;
mod node;
mod node_packages;
mod php;
mod python;
mod rails;
mod wordpress;

use std::path::Path;

use crate::here::recognise::kind::{ProjectKind, RecipeBase, ServedBy};
use crate::here::recognise::marks::Marks;

/// The name that the project has for itself, else that of its directory; letters, digits, `-`, `_` and `.`.
pub fn application(directory: &Path) -> String {
    let marks = Marks::new(directory);
    let own = [marks.json("package.json"), marks.json("composer.json")].into_iter().find_map(|file| {
        let name = file.get("name")?.as_str()?.rsplit('/').next()?.to_owned();
        // What generators and frameworks call every new project.
        let is_own =
            !["", "laravel", "app", "skeleton", "website-skeleton", "bedrock", "my-app", "vite-project"]
                .contains(&name.as_str());
        is_own.then_some(name)
    });
    let of_directory = || directory.file_name().map(|name| name.to_string_lossy().into_owned());
    plain(&own.or_else(of_directory).unwrap_or_default())
}

/// A name that needs no quotes in a path, in `runner.toml` or as that of a service.
pub fn plain(name: &str) -> String {
    let letters = name.chars().map(|c| match c {
        c if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') => c.to_ascii_lowercase(),
        _ => '-',
    });
    let name: String = letters.collect();
    match name.trim_matches(['-', '.']) {
        "" => "app".to_owned(),
        name => name.to_owned(),
    }
}

/// What kind of project the directory has. `application` is its name, for what is named after it on servers.
pub fn kind(directory: &Path, application: &str) -> ProjectKind {
    let marks = Marks::new(directory);
    let known: [&dyn Fn() -> Option<ProjectKind>; 10] = [
        &|| php::laravel(&marks),
        &|| wordpress::bedrock(&marks),
        &|| wordpress::wordpress(&marks),
        &|| php::symfony(&marks),
        &|| python::django(&marks, application),
        &|| rails::rails(&marks, application),
        &|| node::framework(&marks, application),
        &|| generators::generated(&marks),
        &|| node::app(&marks, application),
        &|| php::plain(&marks),
    ];
    known.into_iter().find_map(|recognise| recognise()).unwrap_or_else(|| files(&marks))
}

/// Files that are served as they are.
fn files(marks: &Marks) -> ProjectKind {
    let places = ["", "public", "public_html", "htdocs", "www", "site", "html"];
    let found = places.into_iter().find(|place| marks.has(&join(place, "index.html")));
    let (name, mark) = match found {
        Some(place) => ("a static site", join(place, "index.html")),
        None => ("no kind of project that `init` knows: all files are deployed as they are", String::new()),
    };
    let mut kind =
        ProjectKind::new(name, &[&mark], RecipeBase::Nothing, ServedBy::Files { is_single_page: false });
    if let Some(place) = found.filter(|place| !place.is_empty()) {
        kind = kind.set("source", place, "only this directory is deployed");
    }
    kind
}

fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_for_paths_and_services() {
        for (name, want) in [
            ("Shop", "shop"),
            ("My Shop!", "my-shop"),
            ("..", "app"),
            ("", "app"),
            ("shop.example.com", "shop.example.com"),
        ] {
            assert_eq!(plain(name), want);
        }
    }
}
