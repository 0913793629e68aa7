//! Deployer's `deploy.yaml`: maps, lists and plain values by their indentation, which is what its examples use.

use crate::event::Place;
use crate::here::former::deployer::Declarations;
use crate::here::former::literal::Value;
use crate::here::former::model::Former;

/// `None` if it is not a configuration of Deployer: other tools have files of that name.
pub fn read(file: &str, text: &str) -> Option<Former> {
    let lines: Vec<YamlLine> =
        text.lines().enumerate().filter_map(|(n, line)| YamlLine::of(n + 1, line)).collect();
    let mut found = Declarations::default();
    let mut steps = Vec::new();
    for (name, children, at) in entries(&lines) {
        match name.as_str() {
            "config" => {
                for (key, children, at) in entries(children) {
                    found.settings.push((key, value(at, children), at.number));
                }
            }
            "hosts" => {
                for (host, children, _) in entries(children) {
                    let settings = entries(children).into_iter();
                    let settings = settings.map(|(key, children, at)| (key, value(at, children), at.number));
                    found.hosts.push((host, settings.collect()));
                }
            }
            "tasks" | "before" | "after" => {
                let of_entry = |(key, _, at): (String, _, &YamlLine)| {
                    (format!("{name}: {key}"), Place { file: file.to_owned(), line: at.number, column: 0 })
                };
                // A failed run is undone: it needs no hook.
                let entries = entries(children).into_iter().filter(|(key, ..)| key != "deploy:failed");
                steps.extend(entries.map(of_entry));
            }
            "import" | "fail" => {}
            other => found.unread.push((format!("{other}:"), at.number)),
        }
    }
    (!found.hosts.is_empty()).then(|| Former { steps, ..found.former(file) })
}

/// A line that says something.
struct YamlLine<'t> {
    number: usize,
    indent: usize,
    text: &'t str,
}

impl<'t> YamlLine<'t> {
    fn of(number: usize, line: &'t str) -> Option<Self> {
        let text = without_comment(line).trim_end();
        let indent = text.len() - text.trim_start().len();
        let text = text.trim_start();
        (!text.is_empty() && text != "---").then_some(Self { number, indent, text })
    }

    /// `key: value`.
    fn pair(&self) -> Option<(String, &'t str)> {
        if let Some(quote @ ('"' | '\'')) = self.text.chars().next() {
            let (key, rest) = self.text[1..].split_once(quote)?;
            return Some((key.to_owned(), rest.strip_prefix(':')?.trim()));
        }
        let (key, rest) = match self.text.strip_suffix(':') {
            Some(key) => (key, ""),
            None => self.text.split_once(": ")?,
        };
        Some((key.trim().to_owned(), rest.trim()))
    }
}

fn without_comment(line: &str) -> &str {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '#') if at == 0 || line[..at].ends_with([' ', '\t']) => return &line[..at],
            _ => {}
        }
    }
    line
}

/// The entries of a map, each with the lines below it and its own line.
fn entries<'l, 't>(lines: &'l [YamlLine<'t>]) -> Vec<(String, &'l [YamlLine<'t>], &'l YamlLine<'t>)> {
    let Some(indent) = lines.first().map(|line| line.indent) else { return Vec::new() };
    let starts: Vec<usize> = (0..lines.len())
        .filter(|&n| {
            lines[n].indent == indent && !lines[n].text.starts_with("- ") && lines[n].pair().is_some()
        })
        .collect();
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    let entry = |(&start, end): (&usize, usize)| {
        Some((lines[start].pair()?.0, &lines[start + 1..end], &lines[start]))
    };
    starts.iter().zip(ends).filter_map(entry).collect()
}

fn value(at: &YamlLine, children: &[YamlLine]) -> Value {
    let own = at.pair().map_or("", |(_, own)| own);
    if !own.is_empty() {
        return inline(own);
    }
    if children.iter().any(|line| line.text.starts_with("- ")) {
        let items = children.iter().filter_map(|line| line.text.strip_prefix("- "));
        return Value::List(items.map(|item| inline(item.trim())).collect());
    }
    let entries = entries(children).into_iter();
    Value::Table(entries.map(|(key, children, at)| (key, value(at, children))).collect())
}

/// `text`, `'text'`, `[a, b]`, `{ a: b }`.
fn inline(text: &str) -> Value {
    let within = |open, close| text.strip_prefix(open).and_then(|text: &str| text.strip_suffix(close));
    if let Some(items) = within('[', ']') {
        let items = items.split(',').map(str::trim).filter(|item| !item.is_empty());
        return Value::List(items.map(inline).collect());
    }
    if let Some(entries) = within('{', '}').filter(|_| !text.starts_with("{{")) {
        let entries = entries.split(',').filter_map(|entry| entry.split_once(':'));
        return Value::Table(
            entries.map(|(key, value)| (key.trim().to_owned(), inline(value.trim()))).collect(),
        );
    }
    if text.starts_with(['&', '*', '|', '>', '!']) {
        return Value::Computed;
    }
    let quoted = within('"', '"').or_else(|| within('\'', '\''));
    Value::Text(quoted.unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn hosts_and_paths_are_read() {
        let text = "import:\n  - recipe/laravel.php # shipped\n\nconfig:\n  application: 'shop'\n  shared_files: ['.env', \"auth.json\"]\n  \
                    shared_dirs:\n    - storage\n    - public/media\n  keep_releases: 5\n\nhosts:\n  web1.example.com:\n    \
                    remote_user: deployer\n    deploy_path: '~/{{application}}'\n    labels:\n      stage: production\n  \
                    staging:\n    hostname: 10.0.0.9\n    port: 2222\n    labels: { stage: qa }\n    deploy_path: \"/srv/a#b\"\n";
        expect![[r#"
            Deployer: deploy.yaml; application shop, branch -
            shared .env auth.json storage/ public/media/; writable 
            production: deployer@web1.example.com ~/shop []
            qa: 10.0.0.9:2222 /srv/a#b []
        "#]]
        .assert_eq(&read("deploy.yaml", text).unwrap().shown());
    }

    #[test]
    fn a_file_of_another_tool_is_not_read() {
        assert_eq!(read("deploy.yaml", "apiVersion: v1\nkind: Deployment\n"), None);
    }
}
