//! Applications that Node runs on the server: Next.js and its like, Express and its like, anything with a `start` script.

use toml::Value;

use crate::here::recognise::generators::built;
use crate::here::recognise::kind::{ProjectKind, RecipeBase, ServedBy};
use crate::here::recognise::marks::Marks;
use crate::here::recognise::node_packages::{NodePackage, PackageManager};

/// What the recipe `node` shares.
const SHARED: [&str; 2] = ["uploads/", "logs/"];

/// A framework that builds the application first.
pub fn framework(marks: &Marks, application: &str) -> Option<ProjectKind> {
    let package = NodePackage::read(marks)?;
    if package.depends_on("next") {
        return Some(next(marks, &package, application));
    }
    if package.depends_on("nuxt") {
        return Some(nuxt(&package, application));
    }
    if package.depends_on("@sveltejs/kit") {
        return Some(svelte_kit(&package, application));
    }
    let is_server = package.depends_on("astro") && package.depends_on("@astrojs/node");
    if is_server {
        return Some(served(
            "Astro with its Node server",
            &package,
            application,
            4321,
            "node dist/server/entry.mjs",
        ));
    }
    let servers = ["@remix-run/serve", "@react-router/serve"];
    let server = servers.into_iter().find(|server| package.depends_on(server));
    server.map(|_| served("Remix or React Router", &package, application, 3000, "npm start"))
}

fn next(marks: &Marks, package: &NodePackage, application: &str) -> ProjectKind {
    let configs = ["next.config.ts", "next.config.js", "next.config.mjs"];
    let is_exported = configs.iter().any(|config| {
        let text = marks.text(config);
        text.split("output")
            .skip(1)
            .any(|rest| rest.trim_start_matches([':', ' ', '"', '\'']).starts_with("export"))
    });
    if is_exported {
        return build_only("Next.js", package, "out");
    }
    served("Next.js", package, application, 3000, "npm start")
        .list("exclude.add", ["/.next/cache/"], "")
        .list("generated", [".next/cache/"], "Next.js writes it on the server")
}

fn nuxt(package: &NodePackage, application: &str) -> ProjectKind {
    if package.script("build").is_some_and(|script| script.contains("nuxt generate")) {
        return build_only("Nuxt", package, ".output/public");
    }
    served("Nuxt", package, application, 3000, "node .output/server/index.mjs")
}

fn svelte_kit(package: &NodePackage, application: &str) -> ProjectKind {
    match package.depends_on("@sveltejs/adapter-static") {
        true => build_only("SvelteKit", package, "build"),
        false => served("SvelteKit", package, application, 3000, "node build"),
    }
}

fn build_only(name: &str, package: &NodePackage, output: &str) -> ProjectKind {
    built(name, "package.json", &[package.manager.install(), &package.manager.run("build")], output, false)
}

const SERVERS: [(&str, &str); 8] = [
    ("express", "Express"),
    ("fastify", "Fastify"),
    ("@nestjs/core", "NestJS"),
    ("koa", "Koa"),
    ("@hapi/hapi", "hapi"),
    ("hono", "Hono"),
    ("@adonisjs/core", "AdonisJS"),
    ("@feathersjs/feathers", "Feathers"),
];

/// An application with a server of its own.
pub fn app(marks: &Marks, application: &str) -> Option<ProjectKind> {
    let package = NodePackage::read(marks)?;
    let server = SERVERS.iter().find(|(name, _)| package.depends_on(name)).map(|(_, name)| *name);
    let starts = package.script("start").is_some();
    let main = package.main().filter(|main| marks.has(main));
    let command = match (starts, main) {
        (true, _) => "npm start".to_owned(),
        (false, Some(main)) if server.is_some() => format!("node {main}"),
        _ => return None,
    };
    Some(served(server.unwrap_or("a Node application"), &package, application, 3000, &command))
}

/// An application of the recipe `node`: built here, sent with its packages, restarted after the swap.
fn served(name: &str, package: &NodePackage, application: &str, port: u16, command: &str) -> ProjectKind {
    let serving = ServedBy::Process { port, command: command.to_owned(), env: "NODE_ENV=production" };
    let mut kind =
        ProjectKind::new(name, &["package.json"], RecipeBase::Shipped("node"), serving).shares(SHARED);
    if package.manager != PackageManager::Npm {
        let mut commands = vec![Value::from(package.manager.install())];
        if package.script("build").is_some() {
            commands.push(package.manager.run("build").into());
        }
        commands.push(package.manager.prune().into());
        let comment = match package.manager.lock_file() {
            Some(file) => format!("as `{file}` says"),
            None => "there is no lock file: each build may get other versions".to_owned(),
        };
        kind = kind.set("build_commands", commands, &comment);
    }
    let restart = format!("sudo -n systemctl restart {application}");
    let health = format!("curl -fsS -o /dev/null http://127.0.0.1:{port}/");
    kind.set("restart", restart, "after each swap").shown(
        "health",
        health,
        "then a release that does not answer is taken back",
    )
}
