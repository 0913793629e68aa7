//! The rule of circles: no file imports, over any detour, a file that imports it.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{File, is_word};
use crate::tokens::{Token, is_at};

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// A module that is a file.
    Module(usize),
    /// Something that a file defines.
    Item(usize),
}

/// A name that a `use` brings into a file. Without a name it is `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Use {
    path: Vec<String>,
    name: Option<String>,
    is_exported: bool,
}

/// A file's names, as far as paths are resolved by them.
struct Names {
    uses: Vec<Use>,
    defined: BTreeSet<String>,
    /// All paths and words outside of its `use`s.
    paths: Vec<Vec<String>>,
}

struct Graph<'a> {
    files: &'a [File],
    names: Vec<Names>,
    modules: BTreeMap<&'a [String], usize>,
}

/// The files that each file imports. To declare a module or to export its names again is no import.
pub fn imports(files: &[File]) -> BTreeMap<&str, BTreeSet<&str>> {
    let modules = files.iter().enumerate().map(|(n, file)| (file.module.as_slice(), n)).collect();
    let graph = Graph { files, names: files.iter().map(names).collect(), modules };
    let path = |file: usize| files[file].path.as_str();
    let of = |file: usize| graph.imports(file).into_iter().map(path).collect();
    (0..files.len()).map(|file| (path(file), of(file))).collect()
}

/// The groups of files that import each other, largest first.
pub fn circles<'a>(imports: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Vec<BTreeSet<&'a str>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        imports.keys().map(|file| (*file, reached(imports, file))).collect();
    let circle = |file: &'a str| -> BTreeSet<&'a str> {
        reached[file].iter().copied().filter(|other| reached[other].contains(file)).collect()
    };
    let all: BTreeSet<_> = imports.keys().map(|file| circle(file)).filter(|files| files.len() > 1).collect();
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|files| std::cmp::Reverse(files.len()));
    all
}

fn reached<'a>(imports: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut pending: Vec<&str> = imports[from].iter().copied().collect();
    while let Some(file) = pending.pop() {
        if reached.insert(file) {
            pending.extend(&imports[file]);
        }
    }
    reached
}

impl Graph<'_> {
    fn imports(&self, file: usize) -> BTreeSet<usize> {
        let names = &self.names[file];
        let used = names.uses.iter().filter(|used| !used.is_exported || names.mentions(used));
        let used = used.map(|used| &used.path);
        let named = names.paths.iter().filter(|path| path.len() > 1);
        let found = used.chain(named).filter_map(|path| match self.found(file, path)? {
            Found::Item(other) => Some(other),
            // What is taken from a directory is seen where it is named.
            Found::Module(other) => (!self.is_directory(other)).then_some(other),
        });
        found.filter(|other| *other != file).collect()
    }

    fn is_directory(&self, file: usize) -> bool {
        let module = &self.files[file].module;
        self.modules.keys().any(|other| other.len() > module.len() && other.starts_with(module))
    }

    fn child(&self, file: usize, name: &str) -> Option<usize> {
        let path = [self.files[file].module.as_slice(), &[name.to_owned()]].concat();
        self.modules.get(path.as_slice()).copied()
    }

    /// Where a path in a file leads, if that is in the crate.
    fn found(&self, file: usize, path: &[String]) -> Option<Found> {
        let module = self.files[file].module.as_slice();
        let n_up = path.iter().take_while(|part| *part == "super").count();
        let (start, rest) = match path.first()?.as_str() {
            "crate" => (self.modules.get([].as_slice())?, &path[1..]),
            "self" => (&file, &path[1..]),
            "super" => (self.modules.get(&module[..module.len().checked_sub(n_up)?])?, &path[n_up..]),
            _ => return self.member(file, path, 0),
        };
        match rest {
            [] => Some(Found::Module(*start)),
            _ => self.member(*start, rest, 0).or(Some(Found::Item(*start))),
        }
    }

    /// The same for a path that begins with a name of the module. A detour of more than a few `use`s is none.
    fn member(&self, file: usize, path: &[String], n_detours: usize) -> Option<Found> {
        let (name, rest) = path.split_first()?;
        let names = &self.names[file];
        let found = if let Some(child) = self.child(file, name) {
            Found::Module(child)
        } else if names.defined.contains(name) || n_detours > 8 {
            Found::Item(file)
        } else {
            let used = names.uses.iter().find(|used| used.name.as_ref() == Some(name))?;
            self.used(file, used, n_detours + 1)?
        };
        match found {
            Found::Module(module) if !rest.is_empty() => {
                self.member(module, rest, n_detours).or(Some(Found::Item(module)))
            }
            found => Some(found),
        }
    }

    fn used(&self, file: usize, used: &Use, n_detours: usize) -> Option<Found> {
        match used.path.first()?.as_str() {
            "crate" | "self" | "super" => self.found(file, &used.path),
            // `use walk::walk` is not about itself.
            name if Some(name) == used.name.as_deref() && self.child(file, name).is_none() => None,
            _ => self.member(file, &used.path, n_detours),
        }
    }
}

impl Names {
    fn mentions(&self, used: &Use) -> bool {
        self.paths.iter().any(|path| path.first() == used.name.as_ref())
    }
}

fn names(file: &File) -> Names {
    let tokens = &file.tokens;
    let mut names = Names { uses: Vec::new(), defined: BTreeSet::new(), paths: Vec::new() };
    // How deep each inline module lies in braces.
    let mut inline = Vec::new();
    let mut braces = 0;
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            "{" => {
                braces += 1;
                if at >= 2 && tokens[at - 2].text == "mod" {
                    inline.push(braces);
                }
            }
            "}" => {
                inline.pop_if(|start| *start == braces);
                braces -= 1;
            }
            "use" if !is_at(tokens, at + 1, &["<"]) => {
                let is_exported = at > 0 && matches!(tokens[at - 1].text.as_str(), "pub" | ")");
                let mut uses = Vec::new();
                at = tree(tokens, at + 1, &mut Vec::new(), &mut uses);
                for (path, name) in uses {
                    let path = from_file(path, inline.len());
                    names.uses.push(Use { path, name, is_exported });
                }
            }
            "struct" | "enum" | "trait" | "type" | "fn" | "const" | "static" | "mod" | "macro_rules" => {
                let name = tokens[at + 1..].iter().find(|token| is_word(&token.text));
                let is_module_file = is_at(tokens, at, &["mod"]) && is_at(tokens, at + 2, &[";"]);
                names.defined.extend(name.filter(|_| !is_module_file).map(|token| token.text.clone()));
            }
            word if is_word(word) => {
                let mut path = Vec::new();
                at = path_at(tokens, at, &mut path);
                names.paths.push(from_file(path, inline.len()));
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    names
}

/// Reads words joined by `::` and answers where they end.
fn path_at(tokens: &[Token], mut at: usize, path: &mut Vec<String>) -> usize {
    path.push(tokens[at].text.clone());
    at += 1;
    while is_at(tokens, at, &[":", ":"]) && tokens.get(at + 2).is_some_and(|token| is_word(&token.text)) {
        path.push(tokens[at + 2].text.clone());
        at += 3;
    }
    at
}

/// A path in an inline module, as its file would write it.
fn from_file(mut path: Vec<String>, depth: usize) -> Vec<String> {
    for _ in 0..depth {
        if path.first().is_some_and(|part| part == "super") {
            path.remove(0);
            if path.first().is_none_or(|part| part != "super") {
                path.insert(0, "self".to_owned());
                break;
            }
        }
    }
    path
}

/// Reads one branch of a `use`, with what stands before it, and answers where it ends.
fn tree(
    tokens: &[Token],
    mut at: usize,
    before: &mut Vec<String>,
    uses: &mut Vec<(Vec<String>, Option<String>)>,
) -> usize {
    let n_before = before.len();
    let mut name = None;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            ":" => {}
            "{" => {
                at += 1;
                while !is_at(tokens, at, &["}"]) && at < tokens.len() {
                    at = tree(tokens, at, before, uses);
                    at += usize::from(is_at(tokens, at, &[","]));
                }
                before.truncate(n_before);
                return at + 1;
            }
            "*" => {
                uses.push((before.clone(), None));
                before.truncate(n_before);
                return at + 1;
            }
            "as" => {
                name = tokens.get(at + 1).map(|token| token.text.clone());
                at += 1;
            }
            "self" if before.len() > n_before || n_before > 0 => {}
            word if is_word(word) => before.push(word.to_owned()),
            _ => break,
        }
        at += 1;
    }
    let name = name.or_else(|| before.last().cloned());
    uses.push((before.clone(), name));
    before.truncate(n_before);
    at
}
