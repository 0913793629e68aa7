//! Hundreds of swaps, or a thousand, under readers that never stop: no file is ever missing, and none is of another release than the rest.

#[path = "support/readers.rs"]
mod readers;
mod support;

use readers::Readers;
use support::{Test, repeats};

/// Each turn is two swaps of one run: there and back.
const TO_AND_FRO: &str = r#"
task("turns", || {
    for turn in 0..TURNS {
        hosts().rollback(wanted_release());
        hosts().swap_back();
    }
});
flow("to-and-fro", ["lock", "turns"]);
"#;

#[test]
fn no_reader_misses_or_mixes_a_file_however_often_it_is_swapped() {
    let test = Test::new();
    // Over a line each takes its time.
    let n_turns = if test.is_remote() { repeats(25, 250) } else { repeats(100, 500) };
    let test = test.recipe(&TO_AND_FRO.replace("TURNS", &n_turns.to_string())).version("one");
    test.deploy();
    let first = test.live("site").unwrap();
    let test = test.version("two");
    test.deploy();
    let readers = Readers::start(&test.path("site"));
    let ran = test.run(&["to-and-fro", "--release", &first]);
    let seen = readers.stop();
    assert_eq!(ran.code, Some(0), "{ran}");
    let history = test.read("site/.runner/history");
    let n_swaps =
        history.lines().filter(|line| line.contains("rollback") || line.contains("swap-back")).count();
    eprintln!("{n_swaps} swaps, {} files read, {} changes seen", seen.n_reads, seen.n_changes);
    assert_eq!(seen.faults, Vec::<String>::new());
    assert_eq!(n_swaps, 2 * n_turns);
    // Readers that never met a swap would have shown nothing.
    assert!(seen.n_changes > n_turns as u64 / 5, "{seen:?}");
    assert_eq!(test.serves("site", "index"), "two");
}
