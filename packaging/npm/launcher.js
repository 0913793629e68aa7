#!/usr/bin/env node
// Starts the program from the package for this platform, which npm installed as an optional dependency.
"use strict";

const { spawn } = require("node:child_process");
const { closeSync, openSync } = require("node:fs");

/** The packages that may hold the program for this machine, the best first. */
function candidates() {
  const name = `@deploy-runner/${process.platform}-${process.arch}`;
  if (process.platform !== "linux") return [name];
  const isGlibc = Boolean(process.report?.getReport().header.glibcVersionRuntime);
  // The static program runs with any C library; the other one needs glibc.
  return isGlibc ? [name, `${name}-musl`] : [`${name}-musl`];
}

function program() {
  const names = candidates();
  for (const name of names) {
    try {
      return require.resolve(`${name}/bin/runner`);
    } catch {
      // Not installed: the next one.
    }
  }
  const published = Object.keys(require("./package.json").optionalDependencies);
  if (names.some((name) => published.includes(name))) {
    console.error(`error: the package \`${names[0]}\`, which holds the program, is not installed`);
    console.error("hint: install `deploy-runner` again, without `--omit=optional`");
  } else {
    console.error(`error: runner has no package for ${process.platform} on ${process.arch}`);
    console.error(`hint: there are packages for ${published.map((name) => name.split("/")[1]).join(", ")}`);
  }
  process.exit(1);
}

/** Whether there is a terminal to send signals, wherever input and output go. */
function isAtTerminal() {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

let child;

// A run that is interrupted undoes its work first, so this process must outlive it. A terminal sends Ctrl-C and its own
// end to both of them, and a second Ctrl-C would cancel the undo; anybody else signals this process alone. The handlers come
// first: the program may be signalled as soon as it runs.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    if (signal === "SIGTERM" || !isAtTerminal()) child.kill(signal);
  });
}

// Nothing here may touch `process.stdin`: that would make a pipe non-blocking, for the program, too.
child = spawn(program(), process.argv.slice(2), { stdio: "inherit" });
child.on("error", (error) => {
  console.error(`error: failed to start \`${child.spawnfile}\`: ${error.message}`);
  process.exit(1);
});

child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
