//! The tasks and hooks of another tool's configuration: they are programs, so they are named, and carried over by people.

use crate::event::Place;
use crate::here::former::lexer::{Dialect, lex};
use crate::here::former::literal::{CallReader, Called};
use crate::here::former::model::Former;

/// What every new `deploy.php` has, and what needs nothing here: a failed run is undone.
const NEEDLESS: [&str; 2] = ["deploy:failed", "deploy:unlock"];

/// Adds those of a file.
pub fn read(former: &mut Former, file: &str, text: &str, dialect: Dialect) {
    let lexed = lex(text, dialect);
    let mut reader = CallReader::new(&lexed, dialect);
    while let Some(call) = reader.call(&["task", "before", "after", "fail"]) {
        let mut texts: Vec<&str> = (0..2).map_while(|n| call.text(n)).collect();
        if texts.is_empty() {
            // `task restart: :environment do`
            texts.extend(call.named.first().map(|(name, _)| name.as_str()));
        }
        // A word of that name in a computed text, or Deployer's own.
        if texts.is_empty() || texts == NEEDLESS {
            continue;
        }
        let place = Place { file: file.to_owned(), line: call.line, column: 0 };
        former.steps.push((shown(&call, &texts, dialect), place));
    }
}

fn shown(call: &Called, texts: &[&str], dialect: Dialect) -> String {
    let texts: Vec<String> = texts.iter().map(|text| format!("'{text}'")).collect();
    let texts = texts.join(", ");
    match dialect {
        Dialect::Php => format!("{}({texts})", call.name),
        Dialect::Ruby => format!("{} {texts}", call.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(dialect: Dialect, text: &str, want: &[&str]) {
        let mut former = Former::default();
        read(&mut former, "f", text, dialect);
        let steps: Vec<String> =
            former.steps.iter().map(|(what, place)| format!("{}: {what}", place.line)).collect();
        assert_eq!(steps, want);
    }

    #[test]
    fn tasks_and_hooks_are_named_with_their_lines() {
        case(
            Dialect::Php,
            "<?php\ntask('build', function () { run('npm run build'); });\nafter('deploy:vendors', 'build');\n\
             // after('x', 'y');\nafter('deploy:failed', 'deploy:unlock');\n",
            &["2: task('build')", "3: after('deploy:vendors', 'build')"],
        );
        case(
            Dialect::Ruby,
            "set :x, 1\nnamespace :deploy do\n  desc 'Restart'\n  task :restart do\n    on roles(:app) do\n      execute 'x'\n    end\n  end\nend\n\
             after 'deploy:publishing', 'deploy:restart'\n# before 'a', 'b'\n",
            &["4: task 'restart'", "10: after 'deploy:publishing', 'deploy:restart'"],
        );
        case(
            Dialect::Ruby,
            "task restart: :environment do\nend\ntask :warm => [:a, :b] do\nend\nafter 'deploy:published',\n  'deploy:warm'\nbefore 'x', 'y' do\nend\n",
            &[
                "1: task 'restart'",
                "3: task 'warm'",
                "5: after 'deploy:published', 'deploy:warm'",
                "7: before 'x', 'y'",
            ],
        );
        case(Dialect::Php, "<?php after('a',\n  'b');\n", &["1: after('a', 'b')"]);
    }
}
