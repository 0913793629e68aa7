//! The setting `url`: what visitors get from real web servers on each host, before anything changes and after the swap.

#[path = "support/web.rs"]
mod servers;
mod support;

use std::fs;
use std::net::TcpListener;

use servers::{Fpm, Nginx};
use support::Test;

fn current(test: &Test) -> String {
    test.path("site/current").display().to_string()
}

/// `url` and more settings, for the one site.
fn asked(test: Test, url: &str, settings: &str) -> Test {
    test.toml(&format!(
        "[settings]\nsource = \"source\"\nurl = \"{url}\"\n{settings}\n[stage.local]\npath = \"site\"\ntransport = \"local\"\n"
    ))
}

#[test]
fn the_last_lines_say_which_release_visitors_get() {
    let test = Test::new().source("index.html", "one").source("style.css", "a");
    let nginx = Nginx::start(&format!("root {};", current(&test)));
    let test = asked(test, &format!("http://shop.example.com:{}", nginx.port), "");
    test.deploy().says("; visitors get 200 from this release");
    // Only a file beside the page changes.
    let test = test.source("style.css", "b");
    test.ends(0, &["--plan"]).says("visitors get 200 from this release");
    test.deploy().says("; visitors get 200 from this release");
    test.ends(0, &["status"]).says("visitors get").says("200 from this release");
    test.ends(0, &["rollback"]).says("; visitors get 200 from this release");
    test.ends(0, &["doctor"]).says("visitors get 200 from this release");
}

#[test]
fn each_host_is_asked_by_https_at_its_own_address() {
    let test = Test::with_sites(2).source("index.html", "one");
    let root = |name: &str| format!("root {};", test.path("sites").join(name).join("current").display());
    let [first, second] = ["h1", "h2"].map(|name| Nginx::with_tls(&root(name)));
    let host = |name: &str, nginx: &Nginx| {
        let ask = format!("{{ ask = {{ at = \"127.0.0.1:{}\" }} }}", nginx.tls_port);
        format!("  {{ name = \"{name}\", path = \"sites/{name}\", settings = {ask} }},\n")
    };
    let hosts = host("h1", &first) + &host("h2", &second);
    let test = test.toml(&format!(
        "[settings]\nsource = \"source\"\nurl = \"https://shop.example.com\"\n[stage.local]\ntransport = \"local\"\nhosts = [\n{hosts}]\n"
    ));
    let ran = test.deploy();
    for name in ["h1", "h2"] {
        ran.says(&format!(
            "{name} serves {}; visitors get 200 from this release",
            test.live(&format!("sites/{name}")).unwrap()
        ));
    }
    // One host with an error takes both back.
    drop(second);
    let test = test.source("index.html", "two");
    test.ends(1, &[]).says("`h2`").says("GET https://shop.example.com/");
    assert_eq!(test.serves("sites/h1", "index.html"), "one");
}

#[test]
fn a_response_that_does_not_tell_its_release_is_no_failure() {
    let test = Test::new().source("server.js", "one").source("public/app.js", "one");
    let nginx = Nginx::start("location / { return 200 hello; }");
    let test = asked(test, &format!("http://127.0.0.1:{}", nginx.port), "");
    test.deploy().says("; visitors get 200; release unknown");
    test.source("server.js", "two").deploy().says("; visitors get 200; release unknown");
}

#[test]
fn a_header_tells_the_release() {
    let test = Test::new().source("index", "one");
    let name = test.path("site/current");
    let nginx = Nginx::start(&format!(
        "root {}; location / {{ if ($realpath_root ~ /([0-9]+)$) {{ add_header X-Release $1; return 200 hello; }} }}",
        name.display()
    ));
    let test = asked(test, &format!("http://127.0.0.1:{}", nginx.port), "");
    test.deploy().says("; visitors get 200 from this release");
}

#[test]
fn what_cannot_be_understood_stops_the_run_before_anything_changes() {
    let mut test = Test::new().source("index.html", "one");
    let nginx = Nginx::start(&format!(
        "root {};\n location = /closed {{ return 401; }}\n location = /moved {{ return 301 https://www.example.com/; }}\n \
         location = /in {{ if ($http_authorization) {{ return 200 in; }} return 401; }}",
        current(&test)
    ));
    let port = nginx.port;
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (url, settings, says) in [
        (
            format!("http://shop.example.com:{port}"),
            "ask = { path = \"/closed\" }",
            "add `ask = { expect = 401 }`",
        ),
        (format!("http://shop.example.com:{port}/moved"), "", "set `url = \"https://www.example.com\"`"),
        (format!("http://shop.example.com:{free}"), "", "`ask = { at = \"127.0.0.1:8080\" }`"),
        (format!("https://shop.example.com:{port}"), "", "failed: the server does not speak TLS there"),
    ] {
        test = asked(test, &url, settings);
        test.ends(1, &[]).says("task `reach` failed").says(says);
        assert_eq!(test.releases("site"), Vec::<String>::new());
        test.ends(1, &["--plan"]).says(says);
        test.ends(1, &["doctor"]).says(says);
    }
    // The lines of the hints hold.
    let url = format!("http://shop.example.com:{port}/closed");
    asked(test, &url, "ask = { expect = 401 }").deploy().says("; visitors get 401");
    let test = Test::new().source("index.html", "one");
    let url = format!("http://shop.example.com:{free}/in");
    let ask =
        format!("ask = {{ at = \"127.0.0.1:{port}\", headers = {{ Authorization = \"Basic YTpi\" }} }}");
    asked(test, &url, &ask).deploy().says("; visitors get 200");
}

#[test]
fn a_web_root_that_is_not_the_release_is_found_with_the_line_that_cures_it() {
    let test = Test::new().source("index.html", "one").write("elsewhere/index.html", "welcome");
    let site = test.path("site").display().to_string();
    let elsewhere = test.path("elsewhere").display().to_string();
    let cure = format!("in the configuration of `nginx`: `root {}", current(&test));
    // Another directory: nothing tells before the first deployment.
    let nginx = Nginx::start(&format!("root {elsewhere};"));
    let test = asked(test, &format!("http://127.0.0.1:{}", nginx.port), "");
    test.ends(1, &[])
        .says("task `visitors` failed")
        .says("the web server serves another directory")
        .says(&cure);
    assert_eq!(test.live("site"), None);
    // Where a release is live, it is found before anything changes.
    test.ends(0, &["--set", "url="]);
    let live = test.releases("site");
    let test = test.source("index.html", "two");
    test.ends(1, &[]).says("task `reach` failed").says("the web server serves another directory").says(&cure);
    assert_eq!(test.releases("site"), live);
    test.ends(1, &["doctor"]).says(&cure);
    // The deploy path itself.
    let nginx = Nginx::start(&format!("root {site};"));
    let test = asked(test, &format!("http://127.0.0.1:{}", nginx.port), "");
    test.ends(1, &[]).says("the root of the web server is the deploy path itself").says(&cure);
    test.ends(1, &["doctor"]).says("the root of the web server is the deploy path itself");
    // One fixed release.
    let nginx = Nginx::start(&format!("root {site}/releases/{};", test.live("site").unwrap()));
    let test = asked(test, &format!("http://127.0.0.1:{}", nginx.port), "");
    let before = test.live("site");
    test.ends(1, &[]).says("task `visitors` failed").says("which is not live").says(&cure);
    assert_eq!(test.live("site"), before);
    // The release in place of its public directory.
    let test = Test::new().source("public/index.html", "one").source("public/a.css", "a").source("b", "");
    let nginx = Nginx::start(&format!("root {};", current(&test)));
    let test = asked(test, &format!("http://127.0.0.1:{}", nginx.port), "");
    test.ends(1, &[]).says(&format!("`root {}/public;`", current(&test)));
}

#[test]
fn an_error_after_the_swap_goes_back_and_one_before_it_is_said() {
    let test = Test::new().source("index.html", "one");
    let nginx = Nginx::start(&format!(
        "root {};\n location = / {{ if (-f $document_root/broken) {{ return 500; }} try_files /index.html =404; }}",
        current(&test)
    ));
    let test = asked(test, &format!("http://127.0.0.1:{}", nginx.port), "");
    test.deploy();
    let live = test.live("site");
    let test = test.source("broken", "");
    test.ends(1, &[])
        .says("task `visitors` failed")
        .says("returned 500: expected 200 to 399")
        .says("; visitors get 200");
    assert_eq!(test.live("site"), live);
    test.ends(0, &["--set", "url="]);
    test.remove("source/broken")
        .deploy()
        .says("before this deployment, ")
        .says("returned 500: expected 200 to 399");
}

#[test]
fn php_brings_its_probe_and_what_shows_another_release_goes_back() {
    let page = |text: &str| format!("<?php echo '{text}';");
    let test = Test::new().source("index.php", &page("one"));
    let lines = "php_admin_value[disable_functions] = opcache_reset\nphp_admin_value[opcache.revalidate_freq] = 600\n\
                 php_admin_value[realpath_cache_ttl] = 600";
    let fpm = Fpm::start(test.root(), lines);
    let nginx = Nginx::start(&format!(
        "root {};\n location / {{ include /etc/nginx/fastcgi_params; fastcgi_pass unix:{};\n \
         fastcgi_param SCRIPT_FILENAME $document_root/index.php; }}",
        current(&test),
        fpm.socket.display()
    ));
    let test = test.toml(&format!(
        "recipe = \"php\"\n[settings]\nsource = \"source\"\nfpm = \"{}\"\nurl = \"http://127.0.0.1:{}\"\nwatch_seconds = 1\n\
         [stage.local]\npath = \"site\"\ntransport = \"local\"\n",
        fpm.socket.display(),
        nginx.port
    ));
    test.ends(0, &["--set", "fpm_reload=echo reloaded"]);
    assert!(test.path("site/current/.runner-probe.php").exists());
    let live = test.live("site");
    let test = test.source("index.php", &page("two"));
    test.ends(1, &[]).says("serve an earlier release");
    assert_eq!(test.live("site"), live);
    // Opcache that can be reset is reset.
    let fpm = Fpm::start(test.root(), "");
    let nginx = Nginx::start(&format!(
        "root {};\n location / {{ include /etc/nginx/fastcgi_params; fastcgi_pass unix:{};\n \
         fastcgi_param SCRIPT_FILENAME $document_root/index.php; }}",
        current(&test),
        fpm.socket.display()
    ));
    let set = [format!("fpm={}", fpm.socket.display()), format!("url=http://127.0.0.1:{}", nginx.port)];
    test.ends(0, &["--set", &set[0], "--set", &set[1]]).says("; visitors get 200 from this release");
    let page = fs::read_to_string(test.path("site/current/index.php")).unwrap();
    assert!(page.contains("two"));
}
