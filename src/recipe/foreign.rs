//! Words of other languages and tools, and what to write in a recipe instead.

/// A word, where it comes from, and what to write here.
type ForeignWord = (&'static str, &'static str, &'static str);

/// Words that can stand where Rhai has a statement, an operator or a value.
const SYNTAX: &[ForeignWord] = &[
    ("elif", "Python", "`else if`"),
    ("elsif", "Ruby", "`else if`"),
    ("elseif", "PHP", "`else if`"),
    ("and", "Python", "`&&`"),
    ("or", "Python", "`||`"),
    ("not", "Python", "`!`"),
    ("is", "Python", "`==`"),
    ("null", "JavaScript", "`()`"),
    ("undefined", "JavaScript", "`()`"),
    ("None", "Python", "`()`"),
    ("nil", "Ruby", "`()`"),
    ("True", "Python", "`true`"),
    ("False", "Python", "`false`"),
    ("def", "Python", "`fn name(host) { ... }`"),
    ("function", "JavaScript", "`fn name(host) { ... }` or `|host| ...`"),
    ("lambda", "Python", "`|host| ...`"),
    ("async", "JavaScript", "`fn name(host) { ... }`"),
    ("await", "JavaScript", "the call alone: it waits by itself"),
    ("var", "JavaScript", "`let`"),
    ("unless", "Ruby", "`if !...`"),
    ("foreach", "PHP", "`for item in list { ... }`"),
    ("each", "Ruby", "`for item in list { ... }`"),
    ("end", "Ruby", "`}`"),
    ("then", "a shell", "`{`"),
    ("fi", "a shell", "`}`"),
    ("done", "a shell", "`}`"),
    ("raise", "Python", "`throw \"...\"` or `fail(\"...\")`"),
    ("except", "Python", "`catch`"),
    ("rescue", "Ruby", "`catch`"),
    ("new", "JavaScript", "a table: `#{ ... }`"),
    ("case", "JavaScript", "`switch value { 1 => ..., _ => ... }`"),
    ("match", "Rust", "`switch`"),
    ("require", "Ruby", "`import \"./file.rhai\" as name;`"),
    ("require_once", "PHP", "`import \"./file.rhai\" as name;`"),
    ("include", "PHP", "`import \"./file.rhai\" as name;`"),
    ("from", "Python", "`import \"./file.rhai\" as name;`"),
    ("echo", "PHP", "`note(\"...\")`"),
    ("namespace", "PHP", "nothing: each file is a module of its own"),
];

/// Names of functions, methods and variables.
const NAMES: &[ForeignWord] = &[
    ("release_path", "Capistrano and Deployer", "`host.release`"),
    ("deploy_path", "Deployer", "`host.path`"),
    ("deploy_to", "Capistrano", "`host.path`"),
    ("current_path", "Capistrano", "`host.current`"),
    ("shared_path", "Capistrano", "`host.path + \"/shared\"`"),
    ("previous_release", "Capistrano", "`host.previous`"),
    ("run_locally", "Capistrano", "`local(\"...\")`"),
    ("runLocally", "Deployer", "`local(\"...\")`"),
    ("upload", "Deployer", "`host.write(path, text)`, or build the file before the task `upload`"),
    ("upload!", "Capistrano", "`host.write(path, text)`"),
    ("invoke", "Deployer", "`hosts().perform([\"task\"])`"),
    ("execute", "Capistrano", "`host.run(\"...\")`"),
    ("capture", "Capistrano", "`host.output(\"...\")`"),
    ("cd", "Deployer", "the option `cwd`: `host.run(\"...\", #{ cwd: \"...\" })`"),
    ("within", "Capistrano", "the option `cwd`: `host.run(\"...\", #{ cwd: \"...\" })`"),
    ("sudo", "Capistrano", "`host.run(\"sudo -n ...\")`"),
    ("command", "Mina", "`host.run(\"...\")`"),
    ("queue", "Mina", "`host.run(\"...\")`"),
    ("comment", "Mina", "`note(\"...\")`"),
    ("writeln", "Deployer", "`note(\"...\")`"),
    ("info", "Deployer", "`note(\"...\")`"),
    ("warning", "Deployer", "`warn(\"...\")`"),
    ("askConfirmation", "Deployer", "`confirm(\"...\")`"),
    ("fetch", "Capistrano", "`get(\"...\")`"),
    ("append", "Capistrano", "`add(\"shared\", [...])`"),
    ("currentHost", "Deployer", "the parameter of the task: `|host| ...`"),
    ("host", "Deployer", "a task with a parameter: `|host| ...`"),
    ("hostname", "Deployer", "`host.name`"),
    ("getenv", "PHP", "`env(\"NAME\")`"),
    ("ENV", "Ruby", "`env(\"NAME\")`"),
    ("process", "JavaScript", "`env(\"NAME\")`"),
    ("os", "Python", "`env(\"NAME\")`"),
    ("console", "JavaScript", "`note(\"...\")`"),
    ("puts", "Ruby", "`note(\"...\")`"),
    ("printf", "PHP", "`note(\"...\")`"),
    ("println", "Rust", "`note(\"...\")`"),
    ("exec", "PHP", "`local(\"...\")` or `host.run(\"...\")`"),
    ("shell_exec", "PHP", "`local(\"...\")` or `host.run(\"...\")`"),
    ("system", "Ruby", "`local(\"...\")` or `host.run(\"...\")`"),
    ("shell", "Ansible", "`host.run(\"...\")`"),
    ("str", "Python", "backticks: `${value}`"),
    ("String", "JavaScript", "backticks: `${value}`"),
    ("forEach", "JavaScript", "`.for_each(|item| ...)`"),
    ("push_back", "C++", "`.push(item)`"),
    ("length", "JavaScript", "`.len()`"),
    ("size", "Ruby", "`.len()`"),
    ("count", "PHP", "`.len()`"),
    ("includes", "JavaScript", "`.contains(item)`"),
    ("include?", "Ruby", "`.contains(item)`"),
    ("startsWith", "JavaScript", "`.starts_with(text)`"),
    ("endsWith", "JavaScript", "`.ends_with(text)`"),
    ("startswith", "Python", "`.starts_with(text)`"),
    ("endswith", "Python", "`.ends_with(text)`"),
    ("toUpperCase", "JavaScript", "`.to_upper()`"),
    ("toLowerCase", "JavaScript", "`.to_lower()`"),
    ("upper", "Python", "`.to_upper()`"),
    ("lower", "Python", "`.to_lower()`"),
    ("strip", "Python", "`text.trim();` as a statement"),
    ("chomp", "Ruby", "`text.trim();` as a statement"),
    ("join", "JavaScript", "`list.reduce(|all, item| `${all ?? \"\"} ${item}`)`"),
    ("format", "Python", "backticks: `${value}`"),
    ("sprintf", "PHP", "backticks: `${value}`"),
];

/// What to write instead of a word, as the hint of a report.
fn hint((word, from, cure): &ForeignWord) -> String {
    format!("`{word}` comes from {from}; here, write {cure}")
}

/// The hint for a name that is no function, method or variable.
pub fn name(word: &str) -> Option<String> {
    NAMES.iter().chain(SYNTAX).find(|(known, ..)| *known == word).map(hint)
}

/// The hint for a word at a syntax error.
pub fn word(word: &str) -> Option<String> {
    SYNTAX.iter().chain(NAMES).find(|(known, ..)| *known == word).map(hint)
}

/// What is foreign in a line that is no Rhai: the byte offset, the message and the hint.
pub fn symbol(line: &str) -> Option<(usize, String, &'static str)> {
    let trimmed = line.trim_start();
    let indent = line.len() - trimmed.len();
    let found = |at: usize, what: &str, cure| Some((at, format!("`{what}` is not Rhai"), cure));
    if trimmed.starts_with('#') && !trimmed.starts_with("#{") {
        return Some((indent, "comments begin with `//`, not `#`".to_owned(), "write `// ...`"));
    }
    for (symbol, cure) in [
        ("===", "write `==`"),
        ("!==", "write `!=`"),
        ("++", "write `+= 1`"),
        ("f\"", "write text with `${...}` in backticks: `a ${host.name}`"),
        ("f'", "write text with `${...}` in backticks: `a ${host.name}`"),
        ("elif", "write `else if`"),
        ("=>", "write a closure as `|host| ...`"),
        ("->", "write a member as `host.name`, a closure as `|host| ...`"),
        (" do |", "write a closure as `|host| { ... }`"),
    ] {
        let is_alone = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if let Some(at) = line.find(symbol)
            && (is_alone(at) || !symbol.starts_with(char::is_alphabetic))
            && !(symbol == "=>" && line[..at].trim_end().ends_with(['"', '_']))
        {
            return found(at, symbol.trim(), cure);
        }
    }
    // `{ cwd: "/" }` without the `#` of a table.
    for (at, _) in line.match_indices('{').filter(|(at, _)| !line[..*at].ends_with(['#', '$'])) {
        let inner = line[at + 1..].trim_start();
        let key = inner.trim_start_matches('"').trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
        let is_key = key.len() < inner.len() && key.trim_start_matches('"').trim_start().starts_with(':');
        if is_key && !key.trim_start().starts_with("::") {
            return Some((at, "a table begins with `#{`".to_owned(), "write `#{ name: value }`"));
        }
    }
    line.find(" ? ")
        .filter(|at| line[*at..].contains(" : "))
        .and_then(|at| found(at + 1, "? :", "write `if condition { a } else { b }`"))
}
