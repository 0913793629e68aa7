//! Turns a syntax error into a report: the place, the line, and what a newcomer may have meant.

use rhai::{LexError, ParseError, ParseErrorType, Position};

use crate::event::{Excerpt, Report, Suggestion};
use crate::recipe::foreign;
use crate::recipe::sources::RecipeSource;

pub fn report(source: &RecipeSource, error: &ParseError) -> Report {
    let place = match error.err_type() {
        // Rhai reports it at the next word, which may be lines below.
        ParseErrorType::MissingToken(token, _) if token == ";" => behind_last_word(source, error.position()),
        // At the end of the file.
        ParseErrorType::MissingToken(..) if is_blank(source, error.position()) => {
            behind_last_word(source, error.position())
        }
        ParseErrorType::UnexpectedEOF => behind_last_word(source, Position::NONE),
        _ => at(source, error.position()),
    };
    let position = error.position();
    let at = position.line().and_then(|line| source.offset(line, position.position().unwrap_or(1)));
    let report = match (error.err_type(), at) {
        (error @ (ParseErrorType::VariableUndefined(name) | ParseErrorType::Reserved(name)), Some(at))
            if is_name(&source.text[..at]) =>
        {
            message(source, error).hint(format!("names are texts: write `\"{name}\"`"))
        }
        (error, _) => message(source, error),
    };
    if let Some(open) = unclosed(source, error.err_type()) {
        return open;
    }
    if let Some(foreign) = foreign_in(source, error.position(), &report) {
        return foreign;
    }
    match place {
        Some(place) => report.at(place),
        None => report,
    }
}

fn message(source: &RecipeSource, error: &ParseErrorType) -> Report {
    match error {
        ParseErrorType::VariableUndefined(name) => no_variable(source, name),
        ParseErrorType::ModuleUndefined(name) => {
            let near = Suggestion::new(name, declared(&source.text, &["as"])).to_string();
            let report = Report::new(format!("no import named `{name}`{near}"));
            match near.is_empty() {
                true => report.hint(format!("add `import \"{name}\" as {name};` at the top of the file")),
                false => report,
            }
        }
        ParseErrorType::BadInput(LexError::MalformedChar(_)) => {
            Report::new("single quotes are for one character")
                .hint("use \"double quotes\" or `backticks` for text")
        }
        ParseErrorType::WrongDocComment => Report::new("`///` must be followed by a function")
            .hint("use `//` for a comment, or `desc(\"...\")` to describe a task"),
        ParseErrorType::MissingToken(token, _) if token == ";" => Report::new("missing `;`"),
        ParseErrorType::MissingToken(token, what) => {
            let what = fragment(what).replace("to function call", "of");
            Report::new(format!("expected `{token}` {what}"))
        }
        ParseErrorType::UnexpectedEOF => Report::new("unexpected end of file"),
        ParseErrorType::FnDuplicatedDefinition(name, n) => {
            Report::new(format!("two functions `{name}` have the same number of parameters ({n})"))
        }
        error => Report::new(fragment(&error.to_string())),
    }
}

/// A word or symbol of another language in the line of a syntax error.
fn foreign_in(source: &RecipeSource, position: Position, report: &Report) -> Option<Report> {
    let number = position.line()?;
    let line = source.text.lines().nth(number - 1)?;
    let code = without_texts(line);
    let column = |at: usize| line.get(..at).unwrap_or_default().chars().count() + 1;
    if let Some((at, message, cure)) = foreign::symbol(&code) {
        return Some(Report::new(message).at(source.excerpt(number, column(at))).hint(cure));
    }
    let known: Vec<&str> = declared(&source.text, &["fn", "let", "const", "for", "as"]).collect();
    let mut at = 0;
    let found = code.split(|c: char| !c.is_alphanumeric() && c != '_').find_map(|word| {
        let start = at;
        at += word.len() + code[at + word.len()..].chars().next().map_or(0, char::len_utf8);
        let hint =
            foreign::word(word).filter(|_| !known.contains(&word) && !code[..start].ends_with(['.', '|']))?;
        // `host` is a word of Deployer only where it is called.
        (word != "host").then_some((word, start, hint))
    });
    let (word, start, hint) = found?;
    let message = match report.message.contains(&format!("`{word}`")) {
        true => report.message.clone(),
        false => format!("`{word}` is not a word of Rhai"),
    };
    Some(Report::new(message).at(source.excerpt(number, column(start))).hint(hint))
}

/// A line with the texts and the comment in it made blank.
fn without_texts(line: &str) -> String {
    let (mut code, mut quote, mut before) = (String::new(), None, ' ');
    for c in line.chars() {
        let is_inside = quote.is_some();
        match quote {
            None if before == '/' && c == '/' => break,
            None => quote = Some(c).filter(|c| matches!(c, '"' | '`')),
            Some(open) if c == open && before != '\\' => quote = None,
            Some(_) => {}
        }
        match is_inside && quote.is_some() {
            true => code.extend(std::iter::repeat_n(' ', c.len_utf8())),
            false => code.push(c),
        }
        before = c;
    }
    code
}

/// The `{` that is never closed, if the indentation of the lines shows it: Rhai reports the end of the file, or the next
/// function.
fn unclosed(source: &RecipeSource, error: &ParseErrorType) -> Option<Report> {
    let is_open = match error {
        ParseErrorType::MissingToken(token, _) => token == "}",
        ParseErrorType::WrongFnDefinition | ParseErrorType::UnexpectedEOF => true,
        _ => false,
    };
    let mut open: Vec<(usize, usize, usize)> = Vec::new();
    for (n, line) in source.text.lines().enumerate().filter(|_| is_open) {
        let code = without_texts(line);
        let indent = code.len() - code.trim_start().len();
        let starts_function = indent == 0 && code.starts_with("fn ");
        for (at, c) in code.char_indices() {
            let starts = at == indent;
            match c {
                'f' if starts && starts_function && !open.is_empty() => {
                    return open.last().map(|it| at_brace(source, *it));
                }
                '{' => open.push((n + 1, at + 1, indent)),
                '}' => match open.pop() {
                    Some(brace) if starts && indent < brace.2 => return Some(at_brace(source, brace)),
                    _ => {}
                },
                _ => {}
            }
        }
    }
    None
}

fn at_brace(source: &RecipeSource, (line, column, _): (usize, usize, usize)) -> Report {
    Report::new("this `{` is never closed")
        .at(source.excerpt(line, column))
        .hint("add `}` at the end of this block")
}

fn no_variable(source: &RecipeSource, name: &str) -> Report {
    let text = &source.text;
    if declared(text, &["let", "const"]).any(|known| known == name) {
        let report = Report::new(format!("no variable `{name}` in this function"));
        return match declared(text, &["const"]).any(|known| known == name) {
            true => report.hint(format!("write `global::{name}` to use a constant of the file")),
            false => report.note("functions cannot use `let` variables of the file").hint(format!(
                "pass it as a parameter, or declare `const {name} = ...` and write `global::{name}`"
            )),
        };
    }
    let known =
        declared(text, &["fn", "let", "const", "for", "as"]).chain(parameters(text)).chain(["true", "false"]);
    let report = Report::new(format!("no variable or function `{name}`{}", Suggestion::new(name, known)));
    match foreign::name(name) {
        Some(hint) => report.hint(hint),
        None => report,
    }
}

/// Whether a recipe must name something behind this text: `task(`, `before("swap", `, `perform([`.
fn is_name(before: &str) -> bool {
    let line = before.rsplit(['\n', ';']).next().unwrap_or_default();
    let Some((head, arguments)) = line.rsplit_once('(') else { return false };
    let word = head.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    let arguments = arguments.trim();
    match word {
        "task" | "flow" | "set" | "add" | "get" | "env" | "secret" | "desc" => arguments.is_empty(),
        "perform" => arguments.starts_with('['),
        "before" | "after" | "on" => true,
        _ => false,
    }
}

/// The names that follow one of the keywords in a text.
fn declared<'a>(text: &'a str, keywords: &'a [&str]) -> impl Iterator<Item = &'a str> {
    let words = || text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    words().zip(words().skip(1)).filter(|(keyword, _)| keywords.contains(keyword)).map(|(_, name)| name)
}

/// The parameters of closures and functions.
fn parameters(text: &str) -> impl Iterator<Item = &str> {
    let closures = text.lines().flat_map(|line| line.split('|').skip(1).step_by(2));
    let heads = text.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
    let functions = heads.filter_map(|head| head.split_once('(')?.1.split_once(')'));
    let lists = closures.chain(functions.map(|(list, _)| list));
    lists.flat_map(|list| list.split(',')).map(str::trim).filter(|name| !name.is_empty())
}

fn at(source: &RecipeSource, position: Position) -> Option<Excerpt> {
    Some(source.excerpt(position.line()?, position.position().unwrap_or(1)))
}

fn is_blank(source: &RecipeSource, position: Position) -> bool {
    let line = position.line().and_then(|line| source.text.lines().nth(line - 1));
    line.is_none_or(|line| line.trim().is_empty())
}

/// The place after the last word before a position, ignoring comments. `NONE` is the end of the file.
fn behind_last_word(source: &RecipeSource, position: Position) -> Option<Excerpt> {
    let end = position.line().and_then(|line| source.offset(line, position.position().unwrap_or(1)));
    let before = source.text.get(..end.unwrap_or(source.text.len()))?;
    let (mut line_end, mut found) = (before.len(), None);
    for line in before.split('\n').rev() {
        let start = line_end - line.len();
        let code = line.split_once("//").map_or(line, |(code, _)| code).trim_end();
        if !code.is_empty() {
            found = Some(start + code.len());
            break;
        }
        line_end = start.saturating_sub(1);
    }
    Some(Excerpt::at_offset(&source.name, &source.text, found?, 1))
}

/// A message of Rhai in the form of ours.
pub fn fragment(text: &str) -> String {
    let text = text.trim_end_matches('.').replace('\'', "`");
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::sources::Origin;

    #[test]
    fn names_are_found_behind_their_keywords_and_between_bars() {
        let text = "const A = 1;\nfn b(host, c) { let d = || 1; }\ntask(\"x\", |e, f| e);";
        let names: Vec<&str> = declared(text, &["const", "fn", "let"]).collect();
        assert_eq!(names, ["A", "b", "d"]);
        let names: Vec<&str> = parameters(text).collect();
        assert_eq!(names, ["e", "f", "host", "c"]);
    }

    #[test]
    fn what_is_missing_is_shown_behind_the_last_word() {
        let text = "let a = 1 // one\n\n// two\nlet b = 2;\n".to_owned();
        let source = RecipeSource { origin: Origin::Shipped(String::new()), name: String::new(), text };
        let excerpt = behind_last_word(&source, Position::new(4, 1)).unwrap();
        assert_eq!((excerpt.place.line, excerpt.place.column), (1, 10));
    }
}
