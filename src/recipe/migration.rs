//! Finds what in a migration of Laravel may break the release that is live while it runs. Knows no Rhai.
//!
//! The text is not executed: what a migration computes is not seen. Comments and what `down` does do not count.

/// A migration without comments and whitespace, in lowercase, in which numbers stand for texts.
struct Php {
    code: String,
    texts: Vec<String>,
}

/// Calls that remove or change something, wherever they are.
const CALLS: [&str; 10] = [
    "->drop",
    "::drop",
    "->rename",
    "::rename",
    "->change(",
    "->delete(",
    "->forcedelete(",
    "::destroy(",
    "->truncate(",
    "::truncate(",
];

/// Methods that add a column which cannot be null, unless the statement says otherwise.
const COLUMNS: [&str; 52] = [
    "addcolumn",
    "biginteger",
    "binary",
    "boolean",
    "char",
    "date",
    "datetime",
    "datetimetz",
    "decimal",
    "double",
    "enum",
    "float",
    "foreignid",
    "foreignidfor",
    "foreignulid",
    "foreignuuid",
    "geography",
    "geometry",
    "integer",
    "ipaddress",
    "json",
    "jsonb",
    "longtext",
    "macaddress",
    "mediuminteger",
    "mediumtext",
    "morphs",
    "numericmorphs",
    "point",
    "polygon",
    "set",
    "smallinteger",
    "string",
    "text",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "tinyinteger",
    "tinytext",
    "ulid",
    "ulidmorphs",
    "unsignedbiginteger",
    "unsigneddecimal",
    "unsignedinteger",
    "unsignedmediuminteger",
    "unsignedsmallinteger",
    "unsignedtinyinteger",
    "uuid",
    "uuidmorphs",
    "vector",
    "year",
];

/// What gives existing rows a value in a new column.
const VALUES: [&str; 6] =
    ["->nullable(", "->default(", "->usecurrent(", "->storedas(", "->virtualas(", "->generatedas("];

const REMOVES: &str = "which may remove something that the live release needs";
const UNIQUE: &str = "a unique index, which may reject rows that the live release writes";
const NOT_NULL: &str = "which is `NOT NULL` without a default, so the live release can no longer insert rows";

/// What in this migration the live release may not survive: for each kind, what it is and why.
pub fn risks(text: &str) -> Vec<String> {
    let php = Php::of(text);
    let code = without_down(&php.code);
    let mut risks: Vec<String> =
        CALLS.iter().filter(|call| code.contains(*call)).map(|call| format!("`{call}`, {REMOVES}")).collect();
    let existing = without_new_tables(&code);
    for statement in existing.split([';', '{', '}']) {
        risks.extend(column_without_value(statement, &php.texts));
        if statement.contains("->unique(") || statement.contains("->primary(") {
            risks.push(UNIQUE.to_owned());
        }
    }
    for n in text_numbers(&code) {
        risks.extend(php.texts.get(n).and_then(|text| risk_of_sql(text)));
    }
    let mut seen = Vec::new();
    risks.retain(|risk| {
        !seen.contains(risk) && {
            seen.push(risk.clone());
            true
        }
    });
    risks
}

/// The name of a column that a statement adds to a table with rows, if those would have no value in it.
fn column_without_value(statement: &str, texts: &[String]) -> Option<String> {
    let (variable, rest) = statement.strip_prefix('$')?.split_once("->")?;
    let (method, arguments) = rest.split_once('(')?;
    let is_variable = variable.chars().all(|c| c.is_alphanumeric() || c == '_');
    let has_value =
        VALUES.iter().any(|value| statement.contains(value)) && !statement.contains("->nullable(false");
    if !is_variable || !COLUMNS.contains(&method) || has_value || statement.contains("->change(") {
        return None;
    }
    let name = text_numbers(arguments).next().and_then(|n| texts.get(n));
    Some(match name {
        Some(name) => format!("the new column `{name}`, {NOT_NULL}"),
        None => format!("a new column, {NOT_NULL}"),
    })
}

/// What a text does to tables with rows, if it is SQL.
fn risk_of_sql(text: &str) -> Option<String> {
    let verb = text.split(' ').next().unwrap_or_default();
    let verbs = [
        "add", "alter", "change", "create", "delete", "drop", "modify", "rename", "replace", "truncate",
        "set",
    ];
    if !verbs.contains(&verb) || text == verb {
        return None;
    }
    let has = |words: &str| format!(" {text} ").contains(&format!(" {words} "));
    let is_new_table = verb == "create" && has("table");
    let is_typed = has("alter") && has("type") && !is_new_table && !text.starts_with("create");
    let adds =
        |clause: &str| clause.contains("add ") && clause.contains("not null") && !clause.contains("default");
    let found = if let Some(word) =
        ["drop", "rename", "truncate", "modify", "change"].iter().find(|word| has(word))
    {
        format!("`{}`, {REMOVES}", sql_words(text, word))
    } else if has("delete from") {
        format!("`DELETE FROM`, {REMOVES}")
    } else if is_typed {
        "`ALTER COLUMN ... TYPE`, which changes what the live release reads and writes".to_owned()
    } else if has("set not null") {
        format!("a column, {NOT_NULL}")
    } else if !is_new_table && (has("unique") || text.contains(" unique(") || has("primary key")) {
        UNIQUE.to_owned()
    } else if !is_new_table && text.split(',').any(adds) {
        format!("a new column, {NOT_NULL}")
    } else {
        return None;
    };
    Some(found)
}

/// A word of SQL with the one behind it: "DROP COLUMN".
fn sql_words(text: &str, word: &str) -> String {
    let words = text.split(' ').skip_while(|other| other != &word).take(2);
    words.collect::<Vec<_>>().join(" ").to_uppercase()
}

/// The numbers of the texts in a piece of code.
fn text_numbers(code: &str) -> impl Iterator<Item = usize> {
    code.split('\'').skip(1).step_by(2).filter_map(|number| number.parse().ok())
}

/// The end of what begins with an opening bracket at `start`.
fn closing(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code[start..].char_indices() {
        match c {
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return start + at + 1;
        }
    }
    code.len()
}

/// The code without the body of the method `down`.
fn without_down(code: &str) -> String {
    let Some(start) = code.find("functiondown(") else { return code.to_owned() };
    let body = code[start..].find('{').map_or(code.len(), |at| start + at);
    format!("{}{}", &code[..start], &code[closing(code, body)..])
}

/// The code without the calls that create tables. Nothing uses those yet.
fn without_new_tables(code: &str) -> String {
    let mut left = String::new();
    let mut rest = code;
    while let Some(at) = ["::create('", "->create('"].iter().filter_map(|call| rest.find(call)).min() {
        let bracket = at + "::create".len();
        left.push_str(&rest[..at]);
        rest = &rest[closing(rest, bracket)..];
    }
    left + rest
}

impl Php {
    fn of(text: &str) -> Self {
        let mut php = Self { code: String::new(), texts: Vec::new() };
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let is_attribute = rest.starts_with("#[");
            rest = if rest.starts_with("//") || (c == '#' && !is_attribute) {
                rest.split_once('\n').map_or("", |(_, rest)| rest)
            } else if let Some(comment) = rest.strip_prefix("/*") {
                comment.split_once("*/").map_or("", |(_, rest)| rest)
            } else if c == '\'' || c == '"' {
                let (quoted, rest) = quoted(&rest[1..], c);
                php.text(&quoted);
                rest
            } else if let Some((document, rest)) = heredoc(rest) {
                php.text(document);
                rest
            } else {
                php.code.extend((!c.is_whitespace()).then(|| c.to_ascii_lowercase()));
                &rest[c.len_utf8()..]
            };
        }
        php
    }

    /// Keeps a text, unless it is the comment of a column.
    fn text(&mut self, text: &str) {
        let is_comment = self.code.ends_with("comment(");
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        self.code += &format!("'{}'", self.texts.len());
        self.texts.push(if is_comment { String::new() } else { words });
    }
}

/// A quoted text, with blanks for its escapes, and what is behind it.
fn quoted(text: &str, quote: char) -> (String, &str) {
    let (mut inner, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                let escaped = chars.next().map_or(' ', |(_, c)| c);
                inner.push(if quote == '"' && "tnrvf".contains(escaped) { ' ' } else { escaped });
            }
            c if c == quote => return (inner, &text[at + 1..]),
            c => inner.push(c),
        }
    }
    (inner, "")
}

/// A text between `<<<NAME` and `NAME`, and what is behind it.
fn heredoc(text: &str) -> Option<(&str, &str)> {
    let (head, body) = text.strip_prefix("<<<")?.split_once('\n')?;
    let name = head.trim().trim_matches(['\'', '"']);
    let end = body.match_indices(name).map(|(at, _)| at).find(|at| {
        let line = body[..*at].rfind('\n').map_or(0, |n| n + 1);
        body[line..*at].trim().is_empty()
    })?;
    (!name.is_empty()).then(|| (&body[..end], &body[end + name.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(up: &str, want: &str) {
        let text = format!(
            "<?php\nreturn new class extends Migration {{\n public function down(): void {{ Schema::drop('x'); }}\n \
             public function up(): void {{ {up} }}\n}};\n"
        );
        let found = risks(&text);
        let names: Vec<&str> =
            found.iter().map(|risk| risk.split(", which").next().unwrap_or_default()).collect();
        assert_eq!(names.join("; "), want, "{up}");
    }

    #[test]
    fn what_only_adds_is_no_risk() {
        case(
            "Schema::create('a', function (Blueprint $t) { $t->id(); $t->string('email')->unique(); });",
            "",
        );
        case("Schema::table('a', function ($t) { $t->string('b')->nullable(); $t->index('b'); });", "");
        case("Schema::table('a', fn ($t) => $t->integer('b')->default(0));", "");
        case("// drop the old column later\nSchema::table('a', fn ($t) => 1); /* ->drop */", "");
        case("DB::statement('CREATE TABLE a (b INT NOT NULL, c TEXT UNIQUE)');", "");
        case("DB::statement('CREATE INDEX i ON a (b)');", "");
        case(
            "Schema::table('a', function ($t) { $t->text('b')->nullable()->comment('drop off place'); });",
            "",
        );
    }

    #[test]
    fn what_the_live_release_may_not_survive_is_named() {
        case("Schema::table('a', function ($t) { $t->string('b'); });", "the new column `b`");
        case(
            "Schema::table('a', function ($t) { $t->boolean('b')->nullable(false); });",
            "the new column `b`",
        );
        case("Schema::table('a', function ($t) { $t->unique(['b', 'c']); });", "a unique index");
        case(
            "Schema::table('a', function ($t) { $t->string('b')->nullable()->unique(); });",
            "a unique index",
        );
        case("DB::table('a')->where('b', 1)\n  ->delete();", "`->delete(`");
        case("DB::statement('ALTER TABLE a ALTER COLUMN b TYPE bigint');", "`ALTER COLUMN ... TYPE`");
        case("DB::statement('alter table a alter b type bigint');", "`ALTER COLUMN ... TYPE`");
        case("DB::statement('alter table a drop\tcolumn b');", "`DROP COLUMN`");
        case("DB::statement(\"alter table a drop\\tcolumn b\");", "`DROP COLUMN`");
        case("DB::statement(<<<SQL\n  ALTER TABLE a\n  DROP\n  COLUMN b\n  SQL);", "`DROP COLUMN`");
        case("DB::statement('ALTER TABLE a ADD b INT NOT NULL');", "a new column");
        case("DB::statement('CREATE UNIQUE INDEX i ON a (b)');", "a unique index");
        case("DB::unprepared('DELETE FROM a');", "`DELETE FROM`");
        case("Schema::table('a', function ($t) { $t -> dropColumn('b'); });", "`->drop`");
    }
}
