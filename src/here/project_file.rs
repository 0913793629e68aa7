//! Lines of a `runner.toml` to write, with their comments.

use toml::Value;

use crate::here::proposed::ProposedHost;
use crate::here::recognise::kind::ProposedSetting;

/// Lines of the file are no longer, unless a single value is.
const WIDTH: usize = 80;

pub fn setting(setting: &ProposedSetting) -> String {
    let text = line(&setting.key, &setting.value, &setting.comment);
    match setting.is_commented_out {
        true => text.lines().map(|line| format!("# {}\n", line.trim_start_matches("# "))).collect(),
        false => text,
    }
}

/// `key = value`, with its comment behind it where there is room, else above it. A long list has an item a line.
pub fn line(key: &str, value: &Value, comment: &str) -> String {
    let comment = one_line(comment);
    let comment = comment.as_str();
    let mut text = format!("{key} = {value}");
    if let (true, Value::Array(items)) = (text.len() > WIDTH, value) {
        let items: Vec<String> = items.iter().map(|item| format!("    {item},\n")).collect();
        text = format!("{key} = [\n{}]", items.concat());
    }
    match comment {
        "" => format!("{text}\n"),
        comment if text.len() + comment.len() + 4 <= WIDTH && !text.contains('\n') => {
            format!("{text}  # {comment}\n")
        }
        comment => format!("# {comment}\n{text}\n"),
    }
}

/// A comment must not end where a text of the project has a newline.
fn one_line(comment: &str) -> String {
    comment.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A comment of as many lines as it takes.
pub fn wrapped(text: &str) -> String {
    let mut lines = vec!["#".to_owned()];
    for word in one_line(text).split(' ') {
        match lines.last_mut().filter(|line| line.len() + word.len() < WIDTH) {
            Some(line) => line.extend([" ", word]),
            None => lines.push(format!("# {word}")),
        }
    }
    lines.join("\n") + "\n"
}

pub fn host_list(hosts: &[ProposedHost]) -> String {
    let items: Vec<String> = hosts.iter().map(host).collect();
    let text = format!("hosts = [{}]\n", items.join(", "));
    match text.len() > WIDTH {
        true => {
            format!("hosts = [\n{}]\n", items.iter().map(|item| format!("    {item},\n")).collect::<String>())
        }
        false => text,
    }
}

fn host(host: &ProposedHost) -> String {
    let address = Value::from(host.address.as_str());
    let mut keys = vec![format!("address = {address}")];
    keys.extend(host.user.iter().map(|user| format!("user = {}", Value::from(user.as_str()))));
    keys.extend(host.path.iter().map(|path| format!("path = {}", Value::from(path.as_str()))));
    if !host.roles.is_empty() {
        keys.push(format!("roles = {}", Value::from(host.roles.clone())));
    }
    if keys.len() == 1 { address.to_string() } else { format!("{{ {} }}", keys.join(", ")) }
}

/// A key of TOML: quoted unless it is plain.
pub fn key(name: &str) -> String {
    let is_plain =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if is_plain { name.to_owned() } else { Value::from(name).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_stands_behind_its_line_or_above_it() {
        assert_eq!(line("a", &1.into(), "b"), "a = 1  # b\n");
        assert_eq!(line("a", &1.into(), ""), "a = 1\n");
        let long = "x".repeat(80);
        assert_eq!(line("a", &1.into(), &long), format!("# {long}\na = 1\n"));
        let list = Value::from(vec![long.clone(), "y".to_owned()]);
        assert_eq!(line("a", &list, ""), format!("a = [\n    \"{long}\",\n    \"y\",\n]\n"));
    }
}
