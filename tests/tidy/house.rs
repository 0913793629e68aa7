//! The rules about the shape of the whole crate: circles of files, names of types, sizes.

use std::collections::{BTreeMap, BTreeSet};

use crate::circles::{circles, imports};
use crate::rust_files;
use crate::source::{self, File};

/// Lines of a function, of a file without its in-file tests, and methods of a type: no more than these.
const FUNCTION_MAX: usize = 60;
const FILE_MAX: usize = 300;
const METHODS_MAX: usize = 40;
/// Of a hundred functions, ninety-nine are shorter.
const P99_BELOW: usize = 40;

/// Functions that may be longer: a flat `match`, an arm for each case, which would not be easier to read in pieces.
const FLAT_MATCHES: [(&str, &str); 1] = [("src/cli/report/terminal.rs: event", "a few lines for each event")];
/// Files that may be longer, each for a reason.
const LONG_FILES: [(&str, &str); 0] = [];

// What does not keep to the rules yet. An entry that is no longer needed fails its test: these lists only become shorter.
const KNOWN_IN_CIRCLES: &[&str] = &[];
const KNOWN_TWICE: &[&str] = &[];
const KNOWN_LONG_FUNCTIONS: &[&str] = &[];
const KNOWN_LONG_FILES: &[&str] = &[];
const KNOWN_LARGE_TYPES: &[&str] = &[];
/// What `P99_BELOW` is until it can be kept.
const KNOWN_P99: Option<usize> = None;

fn files() -> Vec<File> {
    let files = source::read(&rust_files("src"));
    assert!(files.len() > 100, "only {} files were found", files.len());
    files
}

/// Each thing that breaks a rule is known, and what is known breaks it still.
#[track_caller]
fn only_known(broken: &BTreeMap<String, String>, known: &[&str], list: &str) {
    let new = broken.iter().filter(|(name, _)| !known.contains(&name.as_str()));
    let new = new.map(|(name, how)| format!("{name} {how}"));
    let cured = known.iter().filter(|name| !broken.contains_key(**name));
    let cured = cured.map(|name| format!("{name} keeps to the rule now: remove it from `{list}`"));
    crate::none(new.chain(cured).collect());
}

#[test]
fn no_file_imports_one_that_imports_it() {
    let files = files();
    only_known(&in_circles(&files), KNOWN_IN_CIRCLES, "KNOWN_IN_CIRCLES");
}

#[test]
fn the_name_of_a_type_stands_once() {
    only_known(&twice(&files()), KNOWN_TWICE, "KNOWN_TWICE");
}

#[test]
fn functions_are_short_but_for_flat_matches() {
    let long = long_functions(&files());
    let known = [KNOWN_LONG_FUNCTIONS, &FLAT_MATCHES.map(|(name, _)| name)].concat();
    only_known(&long, &known, "KNOWN_LONG_FUNCTIONS` or `FLAT_MATCHES");
    let p99 = percentile(&lines_of_functions(&files()), 99);
    let below = KNOWN_P99.unwrap_or(P99_BELOW);
    assert!(p99 < below, "of a hundred functions, one has {p99} lines or more: at most {below} are allowed");
    assert!(
        KNOWN_P99.is_none() || p99 >= P99_BELOW,
        "of a hundred functions, ninety-nine are below {P99_BELOW} lines: `KNOWN_P99` is no longer needed"
    );
}

#[test]
fn files_are_short_but_for_named_ones() {
    let known = [KNOWN_LONG_FILES, &LONG_FILES.map(|(path, _)| path)].concat();
    only_known(&long_files(&files()), &known, "KNOWN_LONG_FILES` or `LONG_FILES");
}

#[test]
fn no_type_is_a_whole_layer() {
    only_known(&large_types(&files()), KNOWN_LARGE_TYPES, "KNOWN_LARGE_TYPES");
}

/// `cargo test --test tidy figures -- --nocapture` shows them.
#[test]
fn the_figures_of_the_crate() {
    let files = files();
    let functions = lines_of_functions(&files);
    let mut by_lines: Vec<_> = files.iter().map(|file| (file.n_lines, file.path.as_str())).collect();
    by_lines.sort_unstable();
    let largest = |all: &[(usize, &str)]| {
        all.iter().rev().take(5).map(|(n, name)| format!("{name} {n}")).collect::<Vec<_>>().join(", ")
    };
    let methods = methods(&files);
    let mut methods: Vec<_> = methods.iter().map(|(name, n)| (*n, name.as_str())).collect();
    methods.sort_unstable();
    println!("files: {}", files.len());
    println!("functions: {}", functions.len());
    println!(
        "lines of a function: median {}, p99 {}, max {}",
        percentile(&functions, 50),
        percentile(&functions, 99),
        functions.last().expect("there are functions")
    );
    println!("files in circles: {}", in_circles(&files).len());
    println!("names of types that stand twice: {}", twice(&files).len());
    println!("most methods of a type: {}", largest(&methods));
    println!("largest files without their tests: {}", largest(&by_lines));
    assert!(functions.len() > 1000);
}

fn in_circles(files: &[File]) -> BTreeMap<String, String> {
    let imports = imports(files);
    let mut broken = BTreeMap::new();
    for circle in circles(&imports) {
        for file in &circle {
            let inside: Vec<&str> = imports[file].intersection(&circle).copied().collect();
            broken.insert((*file).to_owned(), format!("is in a circle: it imports {}", inside.join(", ")));
        }
    }
    broken
}

fn twice(files: &[File]) -> BTreeMap<String, String> {
    let mut places: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for file in files {
        for name in file.types() {
            places.entry(name).or_default().push(&file.path);
        }
    }
    places.retain(|_, places| places.len() > 1);
    places.into_iter().map(|(name, places)| (name, format!("is a type in {}", places.join(", ")))).collect()
}

fn lines_of_functions(files: &[File]) -> Vec<usize> {
    let functions = files.iter().flat_map(File::functions);
    let mut lines: Vec<usize> = functions.map(|function| function.n_lines).collect();
    lines.sort_unstable();
    lines
}

fn percentile(sorted: &[usize], percent: usize) -> usize {
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or_default()
}

fn long_functions(files: &[File]) -> BTreeMap<String, String> {
    let mut broken = BTreeMap::new();
    for file in files {
        for function in file.functions().iter().filter(|function| function.n_lines > FUNCTION_MAX) {
            let name = format!("{}: {}", file.path, function.name);
            broken.insert(name, format!("has {} lines, and {FUNCTION_MAX} are allowed", function.n_lines));
        }
    }
    broken
}

fn long_files(files: &[File]) -> BTreeMap<String, String> {
    let long = files.iter().filter(|file| file.n_lines > FILE_MAX);
    long.map(|file| {
        let how = format!("has {} lines without its tests, and {FILE_MAX} are allowed", file.n_lines);
        (file.path.clone(), how)
    })
    .collect()
}

fn methods(files: &[File]) -> BTreeMap<String, usize> {
    let mut methods = BTreeMap::new();
    for (name, n) in files.iter().flat_map(File::methods) {
        *methods.entry(name).or_default() += n;
    }
    methods
}

fn large_types(files: &[File]) -> BTreeMap<String, String> {
    let large = methods(files).into_iter().filter(|(_, n)| *n > METHODS_MAX);
    large.map(|(name, n)| (name, format!("has {n} methods, and {METHODS_MAX} are allowed"))).collect()
}

/// Made-up sources, for the tests of the rules.
fn made_up(sources: &[(&str, &str)]) -> Vec<File> {
    let texts = sources.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    source::read(&texts.collect::<Vec<_>>())
}

#[track_caller]
fn breaks(broken: &BTreeMap<String, String>, want: &[&str]) {
    let broken: Vec<String> = broken.iter().map(|(name, how)| format!("{name} {how}")).collect();
    assert_eq!(broken, want);
}

#[test]
fn an_import_is_seen_however_it_is_written() {
    /// What `src/a/one.rs` imports, beside files that are always there.
    #[track_caller]
    fn case(source: &str, want: &[&str]) {
        let files = made_up(&[
            ("src/lib.rs", "pub mod a; pub mod b;"),
            (
                "src/a/mod.rs",
                "mod one; mod two; pub use two::{Two, deep::Deeper as Renamed}; use crate::b::B;",
            ),
            ("src/a/one.rs", source),
            ("src/a/two.rs", "pub struct Two; pub mod deep { pub struct Deeper; }"),
            (
                "src/b/mod.rs",
                "pub mod three; pub struct B; pub use three::three; pub use crate::a::Two as Again;",
            ),
            ("src/b/three.rs", "pub fn three() {} pub enum Three { Some }"),
        ]);
        let imports = imports(&files);
        assert_eq!(imports["src/a/one.rs"], BTreeSet::from_iter(want.iter().copied()), "{source}");
    }
    case("use crate::a::two::Two;", &["src/a/two.rs"]);
    case("use super::two::Two;", &["src/a/two.rs"]);
    case("use crate::{a::{self, two::Two}, b};", &["src/a/two.rs"]);
    case("use super::Two;", &["src/a/two.rs"]);
    case("use crate::a::{Two, Renamed};", &["src/a/two.rs"]);
    case("use crate::b::Again;", &["src/a/two.rs"]);
    case("use crate::b::B;", &["src/b/mod.rs"]);
    case("use super::B;", &["src/b/mod.rs"]);
    case("use crate::b; fn f() -> b::B { b::three() }", &["src/b/mod.rs", "src/b/three.rs"]);
    case("use crate::b::three;", &["src/b/three.rs"]);
    case("use crate::b::three::Three::{self, Some};", &["src/b/three.rs"]);
    case(
        "fn f(two: &crate::a::Two) { super::super::b::three::three() }",
        &["src/a/two.rs", "src/b/three.rs"],
    );
    case("mod inner { use super::super::Two; }", &["src/a/two.rs"]);
    case("mod inner { use super::One; } struct One;", &[]);
    case("use std::fmt; use two::Other;", &[]);
    case("#[cfg(test)] mod tests { use crate::b::B; } // crate::b::B", &[]);
    case("", &[]);
}

#[test]
fn a_circle_is_seen_over_any_detour() {
    let file = |name: &'static str, source: &'static str| (name, source);
    let root = file("src/lib.rs", "mod a; mod b; mod c;");
    let files = made_up(&[
        root,
        file("src/a.rs", "use crate::b::B; pub struct A;"),
        file("src/b.rs", "use crate::c::C; pub struct B;"),
        file("src/c.rs", "pub struct C; fn f() -> crate::a::A { crate::a::A }"),
    ]);
    breaks(
        &in_circles(&files),
        &[
            "src/a.rs is in a circle: it imports src/b.rs",
            "src/b.rs is in a circle: it imports src/c.rs",
            "src/c.rs is in a circle: it imports src/a.rs",
        ],
    );
    // A module that uses its child, which uses it.
    let parent = "mod one; pub use one::One; pub struct A(One);";
    let child = file("src/a/one.rs", "use super::A; pub struct One;");
    let files = made_up(&[root, file("src/a/mod.rs", parent), child]);
    assert_eq!(in_circles(&files).len(), 2);
    // To declare a child, to export its names, and to be used by its tests is no import.
    let parent = "mod one; pub use one::One; pub struct A;";
    let files = made_up(&[root, file("src/a/mod.rs", parent), child]);
    breaks(&in_circles(&files), &[]);
    let tested = "pub struct One; #[cfg(test)] mod tests { use super::super::A; }";
    let files = made_up(&[
        root,
        file("src/a/mod.rs", "mod one; pub struct A(one::One);"),
        file("src/a/one.rs", tested),
    ]);
    breaks(&in_circles(&files), &[]);
}

#[test]
fn a_second_type_of_a_name_is_seen() {
    let files = made_up(&[
        (
            "src/a.rs",
            "pub struct One<T>(T); enum Two {} trait Three { type Item; } type Four = u8; use b::One as Five;",
        ),
        (
            "src/b.rs",
            "struct One; #[cfg(test)] mod tests { struct Two; } impl Iterator for Six { type Item = u8; }",
        ),
        (
            "src/c.rs",
            "mod inner { type Three = (); } fn f(four: Four) { macro_rules! m { () => { struct $name; } } }",
        ),
    ]);
    breaks(&twice(&files), &["One is a type in src/a.rs, src/b.rs", "Three is a type in src/a.rs, src/c.rs"]);
}

#[test]
fn what_is_too_large_is_seen() {
    let lines = |n: usize| "1;\n".repeat(n);
    let body = |n: usize| format!("{{\n{}}}\n", lines(n - 2));
    let source = format!(
        "fn short(a: [u8; 2]) -> Option<fn(u8)> {}impl A {{ fn long() {}}}\ntrait B {{ fn none(); }}\n",
        body(FUNCTION_MAX),
        body(FUNCTION_MAX + 1)
    );
    let tests = format!("#[cfg(test)]\nmod tests {{\nfn long() {}}}\n", body(FILE_MAX));
    let source = format!("{source}{tests}");
    breaks(
        &long_functions(&made_up(&[("src/a.rs", &source)])),
        &["src/a.rs: long has 61 lines, and 60 are allowed"],
    );
    let just = format!("{}{tests}", lines(FILE_MAX));
    let over = format!("{}{tests}", lines(FILE_MAX + 1));
    breaks(
        &long_files(&made_up(&[("src/a.rs", &just), ("src/b.rs", &over)])),
        &["src/b.rs has 301 lines without its tests, and 300 are allowed"],
    );
    let methods = |n: usize| "pub fn m(&self) { fn inner() {} }".repeat(n);
    let (all, one) = (methods(METHODS_MAX), methods(1));
    let first = format!("impl<'a, T: Fn() -> u8> A<'a, T> where T: B {{ {all} }} impl B {{ {all} }}");
    let other = format!("impl crate::A<'_> {{ {one} }} impl fmt::Display for B {{ {one} }}");
    breaks(
        &large_types(&made_up(&[("src/a.rs", &first), ("src/b.rs", &other)])),
        &["A has 41 methods, and 40 are allowed"],
    );
}
