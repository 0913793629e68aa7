//! What recipes ask and send from this machine, by HTTP and HTTPS: servers on loopback, one of them with a certificate.

#[path = "support/web.rs"]
mod servers;
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use servers::Nginx;
use support::{Ran, Test};

/// Answers each request by what it is, and keeps it: its first line, its headers by name, its body.
struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = asked.clone();
        // It ends with the test.
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let Some(request) = request(&stream) else { continue };
                // Kept first: who has the answer may look.
                kept.lock().unwrap().push(request.clone());
                // Who has heard enough goes.
                let _ = stream.write_all(answer(&request).as_bytes());
            }
        });
        Self { port, asked }
    }

    fn url(&self, rest: &str) -> String {
        format!("http://127.0.0.1:{}{rest}", self.port)
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn request(stream: &TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap();
        }
        head.push_str(line);
        head.push('\n');
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(head + &String::from_utf8_lossy(&body))
}

fn says(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nX-Served: yes\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn moved(status: &str, to: &str) -> String {
    format!("HTTP/1.1 {status}\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

fn task(test: Test, body: &str) -> Test {
    test.recipe(&format!("task(\"preflight\", || {{ {body} }});\n"))
}

fn test() -> Test {
    Test::new().source("index.html", "one")
}

/// By path: `/up` is well, `/old` leads to `/up`, `/round` to itself, `/no` has failed.
fn site() -> Server {
    Server::start(|request| match request.split(' ').nth(1).unwrap_or_default() {
        "/old" => moved("301 Moved", "/up"),
        "/round" => moved("302 Found", "/round"),
        "/kept" => moved("308 Moved", "/up"),
        "/no" => says("500 Oh", "it is broken\n\nand says why"),
        _ => says("200 OK", "it is up"),
    })
}

#[test]
fn a_url_is_asked_from_this_machine() {
    let server = site();
    let (up, old) = (server.url("/up"), server.url("/old"));
    let test = task(
        test(),
        &format!(
            r#"
            let page = http_get("{up}");
            note(`${{page.status}} ${{page.body}} ${{page.headers["x-served"]}} ${{page.errors.len}}`);
            if page.seconds <= 0.0 {{ fail("no time"); }}
            note("followed: " + http_get("{old}", #{{ headers: #{{ "X-Who": "me" }}, expect: ["up", 200] }}).body);
            note("looked at: " + http_get("{old}", #{{ expect: 301 }}).headers.location);
            note("any: " + http_get("{}", #{{ expect: () }}).status);
            note("user: " + http_get("{}").status);
            "#,
            server.url("/no"),
            server.url("/up").replace("://", "://ann:p%40ss@"),
        ),
    );
    let ran = test.ends(0, &["-v"]);
    ran.says("200 it is up yes 0").says("followed: it is up").says("looked at: /up").says("any: 500");
    ran.says(&format!("GET {up}")).says("user: 200").says_not("ann@").says_not("GET http://ann");
    let asked = server.asked();
    assert_eq!(asked.len(), 6, "{asked:#?}");
    assert!(asked[0].starts_with("GET /up HTTP/1.1\n"), "{asked:#?}");
    assert!(asked[0].contains("runner/"), "{asked:#?}");
    assert!(asked[1].to_lowercase().contains("\nx-who: me\n"), "{asked:#?}");
    assert!(asked[5].contains("Basic YW5uOnBAc3M="), "{asked:#?}");
}

#[test]
fn what_is_posted_arrives_as_it_was_said() {
    let server = site();
    let up = server.url("/up");
    let test = task(
        test(),
        &format!(
            r#"
            note("text: " + http_post("{up}", "a=b").status);
            http_post("{up}", #{{ text: "it's \"so\"", n: [1, 2.5, true, ()] }});
            http_post("{up}", [1], #{{ headers: #{{ "Content-Type": "application/x-list" }} }});
            http_post("{up}", "{{}}", #{{ method: "PUT" }});
            http_post("{up}", "", #{{ method: "DELETE" }});
            http_post("{up}", "", #{{ method: "PURGE", expect: "up" }});
            http_post("{up}", "");
            note("round: " + http_post("{}", "x").status);
            note("kept: " + http_post("{}", "x", #{{ expect: 308 }}).status);
            "#,
            server.url("/round"),
            server.url("/kept"),
        ),
    );
    test.deploy().says("text: 200").says("round: 302").says("kept: 308");
    let asked: Vec<String> =
        server.asked().iter().map(|request| request.replace("content-", "Content-")).collect();
    for (request, wants) in asked.iter().zip([
        ["POST /up ", "\na=b"],
        ["Content-type: application/json\n", "\n{\"n\":[1,2.5,true,null],\"text\":\"it's \\\"so\\\"\"}"],
        ["Content-type: application/x-list\n", "\n[1]"],
        ["PUT /up ", "\n{}"],
        ["DELETE /up ", "\n"],
        ["PURGE /up ", "\n"],
        ["POST /up ", "\nContent-length: 0\n"],
        ["POST /round ", "\nx"],
        ["POST /kept ", "\nx"],
    ]) {
        assert!(wants.iter().all(|want| request.contains(want)), "{wants:?} in {asked:#?}");
    }
    assert_eq!(asked.len(), 9, "{asked:#?}");
    assert!(!asked[2].contains("json"), "{asked:#?}");
}

#[test]
fn what_goes_wrong_is_said() {
    let server = site();
    let large = Server::start(|_| says("200 OK", &"x".repeat(17 * 1024 * 1024)));
    let endless = Server::start(|_| format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(17 * 1024 * 1024)));
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mute_url = format!("http://{}/", mute.local_addr().unwrap());
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut test = test();
    let url = |path: &str| server.url(path);
    for (call, words) in [
        (
            format!("http_get(\"{}\")", url("/no")),
            vec![
                "`GET http://127.0.0.1:",
                "/no` returned 500: expected 200 to 399",
                "it is broken",
                "and says why",
            ],
        ),
        (
            format!("http_post(\"{}\", \"\")", url("/no")),
            vec!["`POST http://", "returned 500", "it is broken"],
        ),
        (
            format!("http_post(\"{}\", \"\")", url("/old")),
            vec!["returned 301: the redirect was not followed"],
        ),
        (
            format!("http_get(\"{}\", #{{ expect: \"down\" }})", url("/up")),
            vec!["the body does not contain `down`"],
        ),
        (format!("http_get(\"{}\")", url("/round")), vec!["` failed: stopped after 5 redirects"]),
        (format!("http_get(\"http://{free}/\")"), vec!["` failed: Connection refused"]),
        (
            format!("http_get(\"http://u:pass@{free}/\")"),
            vec![&format!("`GET http://{free}/` failed: Connection refused")],
        ),
        ("http_get(\"http://none.invalid/\")".to_owned(), vec!["`GET http://none.invalid/` failed: "]),
        (
            format!("http_get(\"{mute_url}\", #{{ timeout: 0.2 }})"),
            vec!["` failed: no response within 0.2 s"],
        ),
        (
            format!("http_post(\"{mute_url}\", \"\", #{{ timeout: 0.2 }})"),
            vec!["` failed: no response within 0.2 s"],
        ),
        (format!("http_get(\"{}\")", large.url("/")), vec!["` failed: the body is larger than 16 MiB"]),
        (format!("http_get(\"{}\")", endless.url("/")), vec!["` failed: the body is larger than 16 MiB"]),
        (
            "http_get(\"ftp://u:pass@a/\")".to_owned(),
            vec![
                "cannot send a request to `ftp://a/`: it must begin with `https://` or `http://`",
                "hint: use a URL such as `https://",
            ],
        ),
        (
            "http_get(\"http://u:pass@a b/\")".to_owned(),
            vec!["cannot send a request to `http://a b/`: it contains a space or a control character"],
        ),
        ("http_get(\"http://u:pass@/\")".to_owned(), vec!["cannot send a request to `http:///`: "]),
        ("http_get(\"http://a/\", #{ method: \"POST\" })".to_owned(), vec!["unknown option `method`"]),
        ("http_post(\"http://a/\", \"\", #{ body: \"\" })".to_owned(), vec!["unknown option `body`"]),
        (
            "http_post(\"http://a/\", \"\", #{ method: \"get it\" })".to_owned(),
            vec!["`get it` is not a valid method"],
        ),
        (
            "http_post(\"http://a/\", 7)".to_owned(),
            vec!["the body must be text, a table or a list, not a whole number"],
        ),
        (
            "http_post(\"http://a/\", #{ a: || 1 })".to_owned(),
            vec!["cannot send a table as JSON: it contains a function"],
        ),
        (
            "http_get(\"http://a/\", #{ headers: #{ \"a b\": 1 } })".to_owned(),
            vec!["`a b` is not a valid header name"],
        ),
    ] {
        test = task(test, &format!("{call};"));
        // Literals are checked before the run.
        let is_found_early = ["#{ method: \"POST\" }", "#{ body:"].iter().any(|part| call.contains(part));
        let ran = test.ends(if is_found_early { 2 } else { 1 }, &[]);
        for word in words {
            ran.says(word);
        }
        if !is_found_early {
            ran.says("error: task `preflight` failed");
        }
    }
    let caught = format!(
        "try {{ http_get(\"{}\") }} catch (failure) {{ note(\"caught: \" + failure.message) }}",
        url("/no")
    );
    task(test, &caught).deploy().says("caught: `GET http://127.0.0.1:");
}

/// An nginx that speaks TLS with a certificate that nobody but its own file vouches for.
fn tls(test: &Test) -> (Nginx, u16) {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=runner test", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(test.path("key.pem"))
        .arg("-out")
        .arg(test.path("cert.pem"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nginx = Nginx::start(&format!(
        "listen 127.0.0.1:{port} ssl;\n ssl_certificate {cert};\n ssl_certificate_key {key};\n \
         location = /plain {{ return 302 http://user:pass@127.0.0.1:1/; }}\n \
         location / {{ return 200 \"by $scheme\"; }}",
        cert = test.path("cert.pem").display(),
        key = test.path("key.pem").display(),
    ));
    (nginx, port)
}

#[test]
fn only_a_certificate_that_this_machine_trusts_is_believed() {
    let mut test = test();
    let (_nginx, port) = tls(&test);
    for call in [
        format!("http_get(\"https://127.0.0.1:{port}/\")"),
        format!("http_post(\"https://127.0.0.1:{port}/\", \"\")"),
    ] {
        test = task(test, &format!("note({call}.body);"));
        test.ends(1, &[])
            .says(&format!(" https://127.0.0.1:{port}/` failed: invalid peer certificate: UnknownIssuer"));
    }
    let cert = test.path("cert.pem").display().to_string();
    let mut test = test.env("SSL_CERT_FILE", &cert);
    test.deploy().says("by https");
    // Another name than the certificate's.
    test = task(test, &format!("http_get(\"https://localhost:{port}/\");"));
    test.ends(1, &[]).says("` failed: invalid peer certificate: ");
    test = task(test, &format!("http_get(\"https://127.0.0.1:{port}/plain\");"));
    test.ends(1, &[]).says("` failed: refused to follow a redirect from https to http").says_not("pass");
    let test = test.env("SSL_CERT_FILE", "/dev/null");
    test.ends(1, &[]).says("No CA certificates were loaded from the system");
}

#[test]
fn a_proxy_of_the_environment_is_used_where_it_may_be() {
    let proxy = Server::start(|_| says("403 No", ""));
    let test = task(test(), "http_get(\"https://shop.invalid/up\");").env("HTTPS_PROXY", &proxy.url(""));
    test.ends(1, &[]).says("`GET https://shop.invalid/up` failed: ");
    let asked = proxy.asked();
    assert!(asked[0].starts_with("CONNECT shop.invalid:443 HTTP/1.1\n"), "{asked:#?}");
    test.env("NO_PROXY", "*.invalid").ends(1, &[]);
    assert_eq!(proxy.asked(), [""; 0]);
}

/// No six bytes of it in a row are found in anything but it.
const SECRET: &str = "Zq7vXk31tokWm9";

#[test]
fn a_secret_of_a_request_is_shown_by_nothing() {
    // It repeats all it was told, as pages for developers do.
    let server = Server::start(|request| says("500 Oh", request));
    let hook = server.url(&format!("/services/{SECRET}/{}", SECRET.to_lowercase()));
    let with_user = hook.replace("://", &format!("://{}:{SECRET}@", SECRET.to_uppercase()));
    // `HOOK` is a secret as a whole: parts of it are as secret.
    let mut test = test().env("SECRET", SECRET).env("HOOK", &hook).env("WITH_USER", &with_user);
    for call in [
        format!("http_get(`{}`)", server.url("/${secret(\"SECRET\")}?a=${secret(\"SECRET\")}#b")),
        "http_get(secret(\"HOOK\"))".to_owned(),
        "http_post(secret(\"HOOK\"), #{ text: secret(\"SECRET\") }, #{ timeout: 20 })".to_owned(),
        "http_post(secret(\"WITH_USER\"), \"\", #{ expect: 204 })".to_owned(),
        "http_post(secret(\"WITH_USER\"), \"\", #{ expect: secret(\"SECRET\") + \"x\" })".to_owned(),
        "http_get(secret(\"WITH_USER\") + \" b\")".to_owned(),
        "http_get(secret(\"WITH_USER\") + \"/\u{e9}\")".to_owned(),
        format!("http_get(\"{}\", #{{ headers: #{{ a: secret(\"SECRET\") }} }})", server.url("/a")),
        format!("http_post(\"{}\", [secret(\"SECRET\")])", server.url("/a")),
    ] {
        test = task(
            test,
            &format!("try {{ {call}; }} catch (failure) {{ note(failure.message); throw failure; }}"),
        );
        for words in [&["-v"][..], &["--json"], &["-v", "--plan"], &["-q"]] {
            let ran = test.run(words);
            let said = ran.to_string().to_lowercase();
            let secret = SECRET.to_lowercase();
            let seen = (0..=secret.len() - 6).find(|at| said.contains(&secret[*at..at + 6]));
            assert!(seen.is_none(), "{call} with {words:?}\n{ran}");
            assert!(ran.code == Some(1) || words.contains(&"--plan"), "{call} with {words:?}\n{ran}");
        }
    }
}

#[test]
fn the_waiting_ends_with_the_task_and_with_ctrl_c() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let call = format!("http_get(\"http://{}/\", #{{ timeout: 3600 }})", mute.local_addr().unwrap());
    let test = test().recipe(&format!("task(\"preflight\", || {call}).timeout(1);\n"));
    test.ends(1, &[]).says("` failed: no response within ");
    // The first run's connection is there still.
    mute.accept().unwrap();
    let test = task(test, &format!("{call};"));
    let child = test.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stream = mute.accept().unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran}");
    drop(stream);
}

#[test]
fn a_plan_asks_and_posts_nothing() {
    let server = site();
    let test = task(
        test(),
        &format!(
            "note(\"plan: \" + http_get(\"{up}\").body); let told = http_post(\"{up}?b\", #{{ a: 1 }}); \
             if told.status == 200 {{ note(\"posted\"); }}",
            up = server.url("/up")
        ),
    );
    let ran = test.ends(0, &["--plan"]);
    ran.says("plan: it is up").says(&format!("send `POST {}`", server.url("/up?b"))).says_not("posted");
    ran.says("depends on the answer of `POST http://127.0.0.1:");
    assert_eq!(server.asked().len(), 1);
    test.deploy().says("posted");
}

/// The example of docs/writing-recipes.md.
#[test]
fn a_team_hears_of_each_flow_by_a_webhook() {
    let server = site();
    let docs =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/writing-recipes.md")).unwrap();
    let example = docs.split("```").find(|block| block.contains("SLACK_URL")).unwrap();
    let example = example.strip_prefix("rhai\n").unwrap();
    let hook = server.url("/services/T0/B0/x");
    let test = test().recipe(example).env("SLACK_URL", &hook);
    test.deploy().says_not("/services/");
    let asked = server.asked();
    assert_eq!(asked.len(), 1, "{asked:#?}");
    assert!(asked[0].starts_with("POST /services/T0/B0/x HTTP/1.1\n"), "{asked:#?}");
    assert!(asked[0].contains("{\"text\":\"") && asked[0].contains(" is live on local\"}"), "{asked:#?}");
    let test =
        test.recipe(&format!("{example}\ntask(\"verify\", |host| host.run(\"echo why >&2; exit 3\"));\n"));
    test.ends(1, &[]);
    let asked = server.asked();
    assert_eq!(asked.len(), 1, "{asked:#?}");
    assert!(asked[0].contains("exited with status 3") && asked[0].contains("deploy.rhai:"), "{asked:#?}");
    // Nobody there: the deployment is well all the same.
    let gone = test.recipe(example).env("SLACK_URL", "http://127.0.0.1:1/services/x");
    gone.deploy().says("warning: ").says("` failed: ").says_not("/services/");
}

/// A redirect must not hand credentials for one server to another.
#[test]
fn a_redirect_to_another_origin_takes_no_secret_along() {
    let other = Server::start(|_| says("200 OK", "it is other"));
    let (away, back) = (other.url("/b"), other.url("/back"));
    let server = Server::start(move |request| match request.split(' ').nth(1).unwrap_or_default() {
        "/away" => moved("302 Found", &away),
        "/near" => moved("302 Found", "end"),
        "/round" => moved("302 Found", &back),
        _ => says("200 OK", "it is up"),
    });
    let ask = |url: &str| {
        let body = format!(
            "let key = secret(\"KEY\"); let headers = #{{ \"X-Token\": `t ${{key}}`, Cookie: \"id=1\", \"X-Plain\": \"yes\" }};
             print(http_get(\"{url}\", #{{ headers: headers }}).body);"
        );
        task(test().env("KEY", "open-sesame"), &body).deploy()
    };
    ask(&server.url("/near"));
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    for request in asked {
        let request = request.to_lowercase();
        assert!(request.contains("x-token: t open-sesame") && request.contains("cookie: id=1"), "{request}");
    }
    // With a user in the address.
    let url = server.url("/away").replace("http://", "http://ann:wonderland@");
    ask(&url).says("it is other");
    let first = server.asked().concat().to_lowercase();
    assert!(first.contains("authorization: basic ") && first.contains("x-token: "), "{first}");
    let second = other.asked().concat().to_lowercase();
    assert!(second.contains("x-plain: yes"), "{second}");
    for kept in ["open-sesame", "authorization", "cookie", "wonderland"] {
        assert!(!second.contains(kept), "{second}");
    }
}
