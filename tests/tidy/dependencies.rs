//! What the program is built from: licences and sources as deny.toml allows them, and C libraries that are new enough.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, ParseMode};

use super::{none, root};

/// The oldest accepted versions of crates with C libraries that talk to servers. libssh2 1.11.1 fixed the Terrapin attack
/// (CVE-2023-48795); `mlkem768x25519-sha256` needs OpenSSL 3.5.
const FLOORS: [(&str, [u64; 3]); 2] = [("libssh2-sys", [0, 3, 1]), ("openssl-src", [300, 5, 0])];

fn packages() -> Vec<Value> {
    let metadata = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--offline",
            "--all-features",
            "--manifest-path",
        ])
        .arg(root().join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().clone();
    assert!(packages.len() > 100, "{} packages", packages.len());
    packages.into_iter().filter(|package| !package["source"].is_null()).collect()
}

fn deny() -> toml::Table {
    std::fs::read_to_string(root().join("deny.toml")).unwrap().parse().unwrap()
}

fn texts(deny: &toml::Table, table: &str, key: &str) -> BTreeSet<String> {
    let list = deny[table][key].as_array().unwrap();
    list.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Why a licence is not allowed.
fn refusal(licence: Option<&str>, allowed: &BTreeSet<String>) -> Option<String> {
    let Some(text) = licence else { return Some("no licence given".to_owned()) };
    match Expression::parse_mode(text, ParseMode::LAX) {
        Err(error) => Some(format!("`{text}`: {error}")),
        Ok(licence) => {
            // `MPL-2.0+` may be taken as `MPL-2.0`.
            let is_allowed =
                licence.evaluate(|wanted| allowed.contains(wanted.to_string().trim_end_matches('+')));
            (!is_allowed).then(|| format!("`{text}` is not allowed by deny.toml"))
        }
    }
}

#[test]
fn every_dependency_has_a_licence_and_a_source_that_are_allowed() {
    let deny = deny();
    let (licences, sources) = (texts(&deny, "licenses", "allow"), texts(&deny, "sources", "allow-registry"));
    let problems = packages().into_iter().flat_map(|package| {
        let name = format!("{} {}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
        let source = package["source"].as_str().unwrap();
        let is_known = source.strip_prefix("registry+").is_some_and(|source| sources.contains(source));
        let wrong_source =
            (!is_known).then(|| format!("{name}: source `{source}` is not allowed by deny.toml"));
        let licence = refusal(package["license"].as_str(), &licences).map(|why| format!("{name}: {why}"));
        [wrong_source, licence].into_iter().flatten().collect::<Vec<_>>()
    });
    none(problems.collect());
}

#[test]
fn a_licence_expression_is_evaluated_with_its_operators() {
    let allowed = BTreeSet::from(["MIT".to_owned(), "ISC".to_owned(), "MPL-2.0".to_owned()]);
    for (text, is_allowed) in [
        ("MIT", true),
        ("MIT/GPL-3.0", true),
        ("GPL-3.0 OR MIT", true),
        ("MIT AND ISC", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND AGPL-3.0", false),
        ("MPL-2.0+", true),
        ("Apache-2.0 WITH LLVM-exception", false),
        ("nonsense words", false),
    ] {
        assert_eq!(refusal(Some(text), &allowed).is_none(), is_allowed, "{text}");
    }
    assert!(refusal(None, &allowed).is_some());
}

#[test]
fn c_libraries_are_recent_enough() {
    let packages = packages();
    for (name, floor) in FLOORS {
        let versions: Vec<&str> = packages
            .iter()
            .filter(|package| package["name"] == name)
            .map(|package| package["version"].as_str().unwrap())
            .collect();
        assert_eq!(versions.len(), 1, "{name}: {versions:?}");
        let version = versions[0].split('+').next().unwrap();
        let numbers: Vec<u64> = version.split('.').map(|number| number.parse().unwrap()).collect();
        assert!(numbers.as_slice() >= floor.as_slice(), "{name} {version} is older than {floor:?}");
    }
}
