#!/bin/sh
# Installs `runner`: `sh install.sh [--prefix DIR] [--from DIR or URL]`.
#
# The package comes from where this script was published, or from the directory it lies in, and must have the checksum
# that SHA256SUMS there gives. Files go to ~/.local, or /usr/local for root. Nothing is run before the last line of this
# file was read, so half a download does nothing.
set -eu

# `packaging/build` fills these two in.
VERSION=@VERSION@
PUBLISHED_AT=@URL@

fail() {
  printf 'error: %s\n' "$1" >&2
  [ -z "${2-}" ] || printf 'hint: %s\n' "$2" >&2
  exit 1
}

usage() {
  cat <<'END'
Installs runner.

Usage: sh install.sh [--prefix DIR] [--from DIR or URL]

  --prefix DIR   installs below DIR; by default ~/.local, or /usr/local for root
  --from PLACE   a directory or an address with the package and its SHA256SUMS
END
}

# The part of a package's name that names this machine.
platform() {
  [ "$(uname -s)" = Linux ] ||
    fail "runner has no package for $(uname -s)" 'use it on Linux, for example in a container'
  case $(uname -m) in
    x86_64 | amd64) cpu=x86_64 ;;
    aarch64 | arm64) cpu=aarch64 ;;
    *) fail "runner has no package for Linux on $(uname -m)" 'build it from its source' ;;
  esac
  case $(getconf GNU_LIBC_VERSION 2>/dev/null) in
    'glibc 2.'[0-9] | 'glibc 2.1'[0-6] | '') echo "$cpu-linux-musl" ;;
    *) echo "$cpu-linux" ;;
  esac
}

# fetch NAME: the file of that name, from $from into $work.
fetch() {
  case $from in
    http://* | https://*)
      if command -v curl >/dev/null 2>&1; then
        curl -fsSL --retry 2 -o "$work/$1" "$from/$1" || fail "failed to download \`$from/$1\`"
      elif command -v wget >/dev/null 2>&1; then
        wget -q -O "$work/$1" "$from/$1" || fail "failed to download \`$from/$1\`"
      else
        fail 'neither curl nor wget was found'
      fi
      ;;
    *) cp "$from/$1" "$work/$1" 2>/dev/null || fail "\`$from/$1\` was not found" ;;
  esac
}

check() {
  want=$(awk -v name="$1" '$2 == name || $2 == "*" name { print $1 }' "$work/SHA256SUMS")
  [ -n "$want" ] || fail "SHA256SUMS does not list \`$1\`"
  have=$(sha256sum "$work/$1" | awk '{ print $1 }')
  [ "$have" = "$want" ] ||
    fail "\`$1\` has the checksum $have, and SHA256SUMS says $want; nothing was installed"
}

# put MODE FILE TARGET: the file appears complete or not at all, also over a program that is running.
put() {
  mkdir -p "${3%/*}" 2>/dev/null || fail "\`${3%/*}\` cannot be created" "\`sh $0 --prefix DIR\` installs elsewhere"
  new=$3.new.$$
  { cp "$2" "$new" && chmod "$1" "$new" && mv -f "$new" "$3"; } 2>/dev/null || {
    rm -f "$new" 2>/dev/null
    fail "\`$3\` cannot be written" "\`sh $0 --prefix DIR\` installs elsewhere"
  }
}

say_path() {
  case ":$PATH:" in
    *":$1:"*)
      found=$(command -v runner || true)
      [ "$found" = "$1/runner" ] || echo "note: \`runner\` is \`$found\` here: it comes first in PATH"
      ;;
    *)
      # shellcheck disable=SC2016 # the login shell expands it
      printf 'note: %s is not in PATH; this adds it for future logins:\n  %s\n' "$1" \
        "echo 'PATH=\"$1:\$PATH\"' >> ~/.profile"
      ;;
  esac
}

main() {
  from=$PUBLISHED_AT
  prefix=${HOME:+$HOME/.local}
  [ "$(id -u)" != 0 ] || prefix=/usr/local
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) usage && exit 0 ;;
      --prefix | --from) [ $# -ge 2 ] || fail "\`$1\` needs a value" ;;
      *) fail "unknown argument: \`$1\`" "\`sh $0 --help\`" ;;
    esac
    [ "$1" = --from ] && from=${2%/}
    [ "$1" = --prefix ] && prefix=${2%/}
    shift 2
  done
  [ -n "$prefix" ] || fail 'HOME is not set' "\`sh $0 --prefix DIR\`"
  case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
  if [ -z "$from" ]; then
    [ -f "$0" ] || fail 'this script does not say where it was published' "\`sh -s -- --from URL\`"
    from=$(dirname "$0")
  fi

  package=runner-$VERSION-$(platform)
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
  fetch SHA256SUMS
  fetch "$package.tar.gz"
  check "$package.tar.gz"
  tar -xzf "$work/$package.tar.gz" -C "$work"
  "$work/$package/runner" --version >/dev/null || fail "\`runner\` does not start on this machine"

  put 755 "$work/$package/runner" "$prefix/bin/runner"
  put 644 "$work/$package/man/runner.1" "$prefix/share/man/man1/runner.1"
  put 644 "$work/$package/completions/runner.bash" "$prefix/share/bash-completion/completions/runner"
  put 644 "$work/$package/completions/_runner" "$prefix/share/zsh/site-functions/_runner"
  put 644 "$work/$package/completions/runner.fish" "$prefix/share/fish/vendor_completions.d/runner.fish"
  echo "installed $("$prefix/bin/runner" --version) as $prefix/bin/runner"
  say_path "$prefix/bin"
}

{ main "$@"; }
