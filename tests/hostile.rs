//! Names of sites, sources and settings that a shell could trip over.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use support::Test;
use support::userland::everywhere;

/// Deploys, deploys again with a change, and goes back, with all that a recipe may use in between.
fn works(test: &Test, site: &str, source: &str) {
    let write = |text: &str| {
        fs::create_dir_all(test.path(source).join("sub dir")).unwrap();
        fs::write(test.path(source).join("sub dir/index"), text).unwrap();
        fs::write(test.path(source).join("same"), "same").unwrap();
    };
    let serves = |text: &str| assert_eq!(test.serves(site, "sub dir/index"), text);
    write("one");
    test.deploy().says_not("warning");
    serves("one");
    write("two");
    test.deploy().says("1 of 2 files unpacked").says_not("warning");
    serves("two");
    test.ends(0, &["--set", "strategy=cache"]);
    serves("two");
    test.ends(0, &["rollback"]);
    test.ends(0, &["rollback"]);
    serves("one");
    test.ends(0, &["releases"]);
    test.ends(0, &["status"]);
    test.ends(0, &["--plan"]);
    for _ in 0..3 {
        test.deploy();
    }
    assert_eq!(test.releases(site).len(), 3);
    serves("two");
}

const RECIPE: &str = r#"
    set("generated", ["gen it's"]);
    task("prepare", |host| {
        host.run("mkdir 'gen it'\\''s'; pwd >'gen it'\\''s/x'; test -f same");
        host.write("a $b `c`", "it's \"$written\"\n`x`");
        if host.read("a $b `c`") != "it's \"$written\"\n`x`" { fail("not what was written"); }
        if !host.exists("a $b `c`") { fail("not there"); }
    });
"#;

#[test]
fn any_name_of_a_site_and_a_source_works() {
    for name in [
        " it's `touch hacked` ",
        "dou\"ble $HOME $(touch hacked)",
        "-dash/-rf/a;b&c|d#x",
        "back\\slash * ?[a-z]\ttab",
        "~x a=b %s !x {a,b} h\u{e9}llo \u{4e16}",
    ] {
        let quoted = toml_text(&format!("{name}/site"));
        let source = toml_text(&format!("src {name}"));
        let test = Test::new()
            .toml(&format!(
                "[settings]\nsource = {source}\nshared = [\"shared $x/\"]\n[stage.local]\npath = {quoted}\ntransport = \"local\"\n"
            ))
            .recipe(RECIPE);
        works(&test, &format!("{name}/site"), &format!("src {name}"));
        assert!(!test.has("hacked") && !test.has("site"), "{name}");
    }
}

#[test]
fn odd_names_work_with_busybox_too() {
    let test = Test::new().busybox();
    let name = "-it's \"$(id)\" \\ `x` \u{e9} *";
    let test = test
        .toml(&format!(
            "[settings]\nsource = {}\n[stage.local]\npath = {}\ntransport = \"local\"\n",
            toml_text(&format!("src {name}")),
            toml_text(&format!("{name}/site"))
        ))
        .recipe(RECIPE);
    works(&test, &format!("{name}/site"), &format!("src {name}"));
}

#[test]
fn variables_of_the_user_s_shell_change_nothing_but_reach_commands() {
    let mut test = Test::new();
    for (name, value) in [
        ("CDPATH", ".:..:releases:/"),
        ("TAR_OPTIONS", "--exclude=same"),
        ("GREP_OPTIONS", "-v"),
        ("GZIP", "-v"),
        ("QUOTING_STYLE", "c"),
        ("TIME_STYLE", "full-iso"),
        ("BLOCK_SIZE", "1"),
        ("DF_BLOCK_SIZE", "1"),
    ] {
        test = test.env(name, value);
    }
    works(&test, "site", "source");
    let recipe =
        "task(\"prepare\", |host| host.note(host.run(\"echo $CDPATH; pwd\", #{ cwd: \"sub dir\" })));\n";
    let test = test.recipe(recipe);
    let ran = test.deploy();
    let live = test.live("site").unwrap();
    ran.says(&format!("releases/{live}/sub dir"));
    if !test.is_remote() {
        ran.says(".:..:releases:/");
    }
}

fn toml_text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[test]
fn a_source_with_a_newline_in_its_name_works() {
    everywhere(|test| {
        let test = test.toml(
            "[settings]\nsource = \"sour\\nce\\n\"\n[stage.local]\npath = \"site\"\ntransport = \"local\"\n",
        );
        works(&test, "site", "sour\nce\n");
    });
}

#[test]
fn a_site_path_with_a_newline_is_an_error_before_anything_is_touched() {
    let test = Test::new()
        .toml("[settings]\nsource = \"source\"\n[stage.local]\npath = \"si\\nte\"\ntransport = \"local\"\n")
        .source("index", "x");
    test.ends(2, &[]).says("newline");
}

/// The same project somewhere else, as `-C` says it.
#[test]
fn a_project_in_a_directory_whose_name_is_no_utf_8_works() {
    let test = Test::new();
    let odd = PathBuf::from(std::ffi::OsString::from_vec(b"proj \xff\xfe '$x".to_vec()));
    let project = test.path(&odd);
    fs::create_dir_all(project.join("source")).unwrap();
    fs::write(project.join("source/index"), "x").unwrap();
    let toml = format!(
        "[settings]\nsource = \"source\"\n[stage.local]\npath = {}\ntransport = \"local\"\n",
        toml_text(test.path("site").to_str().unwrap())
    );
    fs::write(project.join("runner.toml"), test.reached(&toml)).unwrap();
    fs::write(project.join("deploy.rhai"), "task(\"build\", || local(\"echo built >source/index\"));")
        .unwrap();
    let mut command = test.command(&["-C"]);
    let ran = support::Ran::of(command.arg(&project).output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(test.serves("site", "index"), "built\n");
}

#[test]
fn a_project_with_an_odd_name_works() {
    let test = Test::new();
    let project = test.path("it's $HOME `x`\n\"y\" ");
    fs::create_dir_all(project.join("source")).unwrap();
    fs::write(project.join("source/index"), "x").unwrap();
    let toml = format!(
        "[settings]\nsource = \"source\"\n[stage.local]\npath = {}\ntransport = \"local\"\n",
        toml_text(test.path("site").to_str().unwrap())
    );
    fs::write(project.join("runner.toml"), test.reached(&toml)).unwrap();
    fs::write(
        project.join("deploy.rhai"),
        "fn build() { local(\"echo built >source/index\"); } task(\"build\", build);",
    )
    .unwrap();
    let mut command = test.command(&[]);
    let ran = support::Ran::of(command.current_dir(&project).output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(test.serves("site", "index"), "built\n");
}
