//! What listens on a host is asked through the connection: real nginx and PHP-FPM, over each way to reach a host.

#[path = "support/web.rs"]
mod servers;
mod support;

use std::fs;
use std::net::TcpListener;

use servers::{Fpm, Nginx};
use support::Test;

/// A recipe whose task `verify` is this.
fn verify(test: Test, body: &str) -> Test {
    test.recipe(&format!("task(\"verify\", |host| {{ {body} }});\n"))
}

fn root(test: &Test) -> String {
    test.path("site/current/public").display().to_string()
}

#[test]
fn a_web_server_is_asked_by_port_and_by_socket_with_the_host_that_is_said() {
    let test =
        Test::new().source("public/index.html", "hello").source("public/large", &"x".repeat(1_000_000));
    let nginx = Nginx::start(&format!(
        "root {};\n location = /who {{ return 200 \"$request_method $host $http_x_who $request_length $content_type\"; }}\n \
         location = /old {{ return 301 /new; }}\n add_header X-Served yes;",
        root(&test)
    ));
    let (port, socket) = (nginx.port, nginx.socket.display());
    let test = verify(
        test,
        &format!(
            r#"
            let page = host.http("http://127.0.0.1:{port}/");
            note(`${{page.status}} ${{page.body}} ${{page.headers["x-served"]}}`);
            if page.seconds <= 0.0 {{ fail("no time"); }}
            note(host.http("http://unix:{socket}:/index.html", #{{ expect: ["hello", 200] }}).body);
            note("" + host.http("http://localhost:{port}/large").body.len);
            let who = #{{ host: "shop.example.com", method: "POST", headers: #{{ "X-Who": "me" }}, body: "a=b" }};
            note(host.http("http://127.0.0.1:{port}/who", who).body);
            note(host.http("http://127.0.0.1:{port}/who", #{{ method: "PUT", body: #{{ a: 1 }} }}).body);
            note("" + host.http("http://127.0.0.1:{port}/old").headers.location);
            note("" + host.http("http://127.0.0.1:{port}/none", #{{ expect: () }}).status);
            note("" + host.http("http://127.0.0.1:{port}/none", #{{ expect: 404 }}).status);
            "#
        ),
    );
    // A plan asks what is there already.
    let plan = format!(
        "task(\"preflight\", |host| note(`up: ${{host.http(\"http://127.0.0.1:{port}/old\").status}}`));"
    );
    Test::new().source("a", "b").recipe(&plan).ends(0, &["--plan"]).says("up: 301");
    let ran = test.deploy();
    ran.says("200 hello yes")
        .says("1000000")
        .says("POST shop.example.com me ")
        .says(" application/json")
        .says("/new")
        .says("404");
}

#[test]
fn https_is_spoken_to_the_web_server_of_the_host_whatever_its_certificate_says() {
    let test = Test::new().source("public/large", &"x".repeat(1_000_000));
    let nginx = Nginx::with_tls(&format!(
        "ssl_protocols TLSv1.3;\n root {};\n location = /who {{ return 200 \"$scheme $host $ssl_server_name $ssl_protocol $request_length\"; }}",
        root(&test)
    ));
    let (port, plain) = (nginx.tls_port, nginx.port);
    let test = verify(
        test,
        &format!(
            r#"
            note(host.http("https://shop.example.com:{port}/who").body);
            note(host.http("https://127.0.0.1:{port}/who", #{{ host: "blog.example.com" }}).body);
            note(host.http("https://wiki.example.com/who", #{{ at: "127.0.0.1:{port}" }}).body);
            note(host.http("http://plain.example.com/who", #{{ at: "127.0.0.1:{plain}" }}).body);
            note("" + host.http("https://shop.example.com:{port}/large").body.len);
            let w = host.watch("https://shop.example.com:{port}/large", #{{ seconds: 0.1, rate: 50 }});
            note(`${{w.bad}} bad`);
            "#
        ),
    );
    let ran = test.deploy();
    ran.says("https shop.example.com shop.example.com TLSv1.3")
        .says("https blog.example.com blog.example.com TLSv1.3")
        .says("https wiki.example.com wiki.example.com TLSv1.3")
        .says("http plain.example.com  ")
        .says("1000000")
        .says("0 bad");
}

#[test]
fn an_answer_that_is_not_good_fails_the_task_with_what_it_said() {
    let mut test = Test::new().source("public/index.html", "maintenance\n\nplease wait");
    let nginx = Nginx::start(&format!("root {};", root(&test)));
    let port = nginx.port;
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // Accepts and says nothing.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mute_port = mute.local_addr().unwrap().port();
    let url = |rest: &str| format!("\"http://127.0.0.1:{port}/{rest}\"");
    for (call, words) in [
        (
            url("none"),
            vec!["`GET http://127.0.0.1:", "/none` returned 404: expected 200 to 399", "404 Not Found"],
        ),
        (
            format!("{}, #{{ expect: \"welcome\" }}", url("")),
            vec!["returned 200: the body does not contain `welcome`", "please wait"],
        ),
        (format!("{}, #{{ expect: [201, 204] }}", url("")), vec!["returned 200: expected 201 or 204"]),
        (format!("\"http://127.0.0.1:{free}/\""), vec!["` failed: ", &format!("`127.0.0.1:{free}`")]),
        ("\"http://unix:/none.sock:/\"".to_owned(), vec!["` failed: ", "`/none.sock`"]),
        (
            format!("\"http://127.0.0.1:{mute_port}/\", #{{ timeout: 0.2 }}"),
            vec!["` failed: no response within 0.2 s"],
        ),
        (format!("\"https://127.0.0.1:{port}/\""), vec!["` failed: the server does not speak TLS there"]),
        (
            "\"ftp://localhost/\"".to_owned(),
            vec!["cannot send a request to `ftp://localhost/`", "hint: use `https://"],
        ),
        (format!("{}, #{{ headers: #{{ \"a b\": 1 }} }}", url("")), vec!["`a b` is not a valid header name"]),
    ] {
        test = verify(test, &format!("host.http({call});"));
        let ran = test.ends(1, &[]);
        for word in words {
            ran.says(word);
        }
        ran.says("error: task `verify` failed");
        assert!(test.live("site").is_none(), "{ran}");
    }
    test = verify(test, &format!("host.http({}, #{{ expct: 200 }});", url("")));
    test.ends(2, &[]).says("unknown option `expct` (did you mean `expect`?)");
    // What a script catches is no failure of the task.
    let caught = "try { host.http(\"http://127.0.0.1:PORT/none\") } catch (failure) { note(\"caught: \" + failure.message) }";
    let test = verify(test, &caught.replace("PORT", &port.to_string()));
    test.deploy().says("caught: `GET http://127.0.0.1:");
    drop(mute);
}

/// A page that says of which release it is, and what it was told.
const PAGE: &str = "<?php header('X-Release: ' . basename(dirname(__DIR__)));\n\
    if (getenv('BROKEN') || file_exists(__DIR__ . '/broken')) { http_response_code(500); error_log('it is broken'); }\n\
    echo file_get_contents(__DIR__ . '/version'), ' ', $_SERVER['REQUEST_URI'], ' ', $_SERVER['HTTP_HOST'], ' ', \
    $_SERVER['REQUEST_METHOD'], ' ', file_get_contents('php://input'), ' ', $_SERVER['EXTRA'] ?? '';\n";

#[test]
fn the_new_release_runs_in_the_real_pool_before_it_is_served() {
    let test = Test::new().source("public/index.php", PAGE).source("public/version", "one");
    let fpm = Fpm::start(test.root(), "php_admin_flag[log_errors] = on");
    let nginx = Nginx::start(&format!(
        "root {};\n index index.php;\n location ~ \\.php$ {{ include /etc/nginx/fastcgi_params; \
         fastcgi_param SCRIPT_FILENAME $realpath_root$fastcgi_script_name; fastcgi_pass unix:{}; }}",
        root(&test),
        fpm.socket.display()
    ));
    let recipe = format!(
        r#"
        task("smoke", |host| {{
            let options = #{{ path: "/up?a=b", host: "shop", method: "POST", body: "x=y", params: #{{ EXTRA: "more" }} }};
            let page = host.fastcgi("{socket}", "public/index.php", options);
            note(`smoke: ${{page.body}} of ${{host.release.ends_with(page.headers["x-release"])}}`);
        }});
        task("verify", |host| {{
            let took = host.wait_until(20, |host| host.http("http://127.0.0.1:{port}/").headers["x-release"] in host.release);
            note(`served: ${{host.http("http://127.0.0.1:{port}/").body}}, ${{took < 20.0}}`);
        }});
        "#,
        socket = fpm.socket.display(),
        port = nginx.port,
    );
    let test = test.recipe(&recipe);
    test.deploy().says("smoke: one /up?a=b shop POST x=y more of true").says("served: one / 127.0.0.1");
    let test = test.source("public/version", "two");
    test.deploy().says("smoke: two /up?a=b").says("served: two /");
    let live = test.live("site");
    // A release that is broken never gets a request.
    let test = test.source("public/version", "three").source("public/broken", "");
    let ran = test.ends(1, &[]);
    ran.says("error: task `smoke` failed").says("returned 500: expected 200 to 399").says("it is broken");
    assert_eq!(test.live("site"), live);
    let test = test.recipe(&recipe.replace("index.php\"", "none.php\""));
    test.ends(1, &[]).says("returned 404").says("Primary script unknown");
    // Nothing is asked by a plan of a release that is not there.
    test.ends(0, &["--plan"])
        .says("send `POST /up?a=b of public/none.php at ")
        .says("depends on the answer of `POST ");
}

#[test]
fn waiting_ends_when_it_is_so_or_when_the_time_is_over() {
    let mut test = Test::new().source("a", "b");
    let cases = [
        ("let name = \"a\"; host.wait_until(5, |h| h.exists(name))", 0, "done"),
        ("host.wait_until(5, || host.exists(\"a\"))", 1, "hint: use a parameter instead: `host.wait_until("),
        ("host.wait_until(0, |h| h.exists(\"b\"))", 1, "`wait_until` timed out after 0 s"),
        (
            "host.wait_until(0, |h| h.http(\"http://unix:/none:/\").status == 200)",
            1,
            "`GET http://unix:/none:/` failed: ",
        ),
        (
            "host.wait_until(9, || 7)",
            1,
            "the function of `wait_until` must return true or false, not a whole number",
        ),
        ("host.wait_until(9, || nothing_known())", 2, "no function `nothing_known`"),
        ("host.wait_until(9, |h| h.path + 1 - 2 == 3)", 1, "wait_until"),
        (
            "host.wait_until(0, |h| { local(\"test -e nothing\"); true })",
            1,
            "`test -e nothing` exited with status 1",
        ),
        (
            "host.run(\"(sleep 0.3; echo >late) >/dev/null 2>&1 </dev/null &\"); host.wait_until(60, |h| h.exists(\"late\"))",
            0,
            "done",
        ),
    ];
    for (body, code, words) in cases {
        test = verify(test, body);
        test.ends(code, &[]).says(words);
    }
    assert!(fs::exists(test.path("site")).unwrap());
}

#[test]
fn what_is_watched_is_judged_by_all_its_answers() {
    let mut test = Test::new().source("public/index.html", "well");
    let nginx = Nginx::start(&format!("root {};", root(&test)));
    let url = format!("http://127.0.0.1:{}/", nginx.port);
    for (options, code, words) in [
        ("seconds: 0.2, rate: 50", 0, " asked, 0 bad"),
        (
            "seconds: 0.2, rate: 50, expect: \"ill\"",
            1,
            "is unhealthy: 3 requests in a row failed (3 of 3 in total)",
        ),
        ("seconds: 0.2, rate: 50, max_p99_ms: 0", 1, "ms (limit 0 ms)"),
        ("seconds: 0.1, rate: 10, min_samples: 3", 1, "(minimum 3)"),
        ("second: 1", 2, "unknown option `second` (did you mean `seconds`?)"),
        ("rate: 0", 1, "option `rate` must be a number of at least 0.01"),
    ] {
        let call = format!(
            "let w = host.watch(\"{url}\", #{{ {options} }}); note(`${{w.n}} asked, ${{w.bad}} bad`);"
        );
        test = verify(test, &call);
        test.ends(code, &[]).says(words);
    }
}

/// A small site of PHP behind nginx, with more lines of the pool's configuration.
fn php(lines: &str, root: &str, settings: &str) -> (Test, Fpm, Nginx) {
    let test = Test::new()
        .source("index.php", "<?php include $_SERVER['DOCUMENT_ROOT'] . '/part.php';")
        .source("part.php", "part")
        .source("up.txt", "up");
    let fpm = Fpm::start(test.root(), lines);
    let nginx = Nginx::start(&format!(
        "root {root};\n location = /up.txt {{}}\n location = /secure {{ return 301 https://$host/; }}\n location / {{ include /etc/nginx/fastcgi_params; fastcgi_pass unix:{};\n \
         fastcgi_param SCRIPT_FILENAME $realpath_root/index.php; fastcgi_param DOCUMENT_ROOT {{}}; }}\n \
         location ~ ^/var/ {{ include /etc/nginx/fastcgi_params; fastcgi_pass unix:{};\n \
         fastcgi_param SCRIPT_FILENAME $realpath_root$fastcgi_script_name; }}",
        fpm.socket.display(),
        fpm.socket.display(),
        root = test.path("site/current").display(),
    ).replace("DOCUMENT_ROOT {}", &format!("DOCUMENT_ROOT {root}")));
    let recipe = format!(
        "import \"fpm\" as fpm;\nimport \"php\" as php;\nset(\"probe\", \"var/probe.php\");\nset(\"generated\", [\"var/\"]);\n\
         set(\"writable\", [\"var/\"]);\nset(\"watch_seconds\", 1);\nset(\"fpm\", \"{}\");\nset(\"url\", \"http://127.0.0.1:{}\");\n\
         task(\"prepare\", |host| fpm::write_probe(host));\n{settings}",
        fpm.socket.display(),
        nginx.port
    );
    (test.recipe(&recipe), fpm, nginx)
}

#[test]
fn a_pool_that_allows_little_is_deployed_to_and_what_is_not_known_is_said() {
    let forbidden = "getmypid,realpath_cache_get,opcache_reset,opcache_get_status,ini_get";
    let (test, _fpm, _nginx) =
        php(&format!("php_admin_value[disable_functions] = {forbidden}"), "$realpath_root", "");
    test.deploy().says("cannot tell whether PHP serves this release");
    test.ends(0, &["doctor"]).says("opcache reports nothing");
}

#[test]
fn a_page_that_is_no_php_leaves_it_to_a_reload() {
    let settings = "set(\"health\", \"/up.txt\");\ntask(\"smoke\", |host| fpm::request_health(host));";
    let (test, _fpm, _nginx) = php("", "$realpath_root", settings);
    test.deploy().says("cannot tell whether PHP serves this release");
    test.ends(1, &["doctor"]).says("no request was seen in the pool at `");
    let reload = format!("fpm_reload=touch {}", test.path("reloaded").display());
    test.ends(0, &["--set", &reload]).says("in `").says("process_control_timeout = 10s");
    assert!(test.path("reloaded").exists());
    // Whoever can write where the script is says nothing to a shell.
    let probe = test.path("site/current/var/probe.php");
    let pwned = test.path("pwned").display().to_string();
    let answer = format!("1/status; touch {pwned}; : ");
    let text = fs::read_to_string(&probe).unwrap().replace("(int) getmypid()", &format!("'{answer}'"));
    assert!(text.contains(&pwned));
    fs::remove_file(&probe).unwrap();
    fs::write(&probe, text).unwrap();
    test.ends(1, &["doctor", "--set", &reload]).says("process_control_timeout = 10s");
    assert!(!test.path("pwned").exists());
}

#[test]
fn an_address_that_leads_to_https_is_known_before_the_swap() {
    let (test, _fpm, _nginx) = php("", "$realpath_root", "set(\"health\", \"/secure\");");
    test.ends(1, &[])
        .says("task `reach` failed")
        .says("returned 301: it redirects to `https://127.0.0.1`")
        .says("hint: set `url = \"https://127.0.0.1\"`");
    assert_eq!(test.live("site"), None);
}

#[test]
fn what_the_pool_tells_it_tells_nobody_else_and_a_mixed_root_is_noticed() {
    // One process, which knows what it was given.
    let (test, _fpm, nginx) = php("pm.max_children = 1", "$document_root", "");
    test.deploy().says("clearing that cache");
    let asked = format!(
        "task(\"look\", |host| note(\"\" + host.http(\"http://127.0.0.1:{}/var/probe.php\", #{{ method: \"POST\", expect: () }}).status)).alone();",
        nginx.port
    );
    let recipe = fs::read_to_string(test.path("deploy.rhai")).unwrap();
    let test = test.recipe(&format!("{recipe}\n{asked}"));
    test.ends(0, &["look"]).says("404");
    test.ends(1, &["doctor"])
        .says("PHP reaches the release through `")
        .says("fastcgi_param DOCUMENT_ROOT $realpath_root;");
}
