# Functions that the scripts of this folder share. POSIX sh; runs in dash, bash, busybox, ksh and zsh.

# An answer is a sequence of fields `key=value`, each ended by NUL.
say() { printf '%s=%s\0' "$1" "$2"; }

refuse() { say refused "$1"; exit 1; }

# Every script begins with it. Sorting and patterns are of bytes, whatever the user's language.
enter() {
  LC_ALL=C
  export LC_ALL
  unset CDPATH
  cd -- "$root" || refuse "cannot enter \`$root\`"
}

# Replaces a small file by one rename, so that a reader sees the old text or the new one.
put() { printf '%s\n' "$2" >"$1.new" && mv -f -- "$1.new" "$1"; }

record() { put ".runner/records/$1" "$2"; }

note() { printf '%s\n' "$1" >>.runner/history; }

# Removes trees. Directories are made writable first; files are not, since a mode belongs to every link of a file.
drop() {
  for tree in "$@"; do
    [ -d "$tree" ] && [ ! -L "$tree" ] &&
      find "$tree" -type d ! -perm -u=rwx -exec chmod u+rwx {} + 2>/dev/null
    rm -rf -- "$tree"
  done
}

# The paths of a manifest's entries whose kind is in $1, a line each, still escaped.
paths() { sed -n "s/^[$1] [^ ]* [^ ]* [^ ]* [^ ]* //p" "$2"; }

# The same as bytes with NUL ends. Only names with a newline or a backslash are escaped, and come last in a manifest.
names() {
  paths "$1" "$2" | sed '/\\/d' | tr '\n' '\0'
  paths "$1" "$2" | sed -n '/\\/p' | while IFS= read -r path; do printf '%b\0' "$path"; done
}

plain() {
  sed -e '/\\/!b' -e 's/\\0012/\
/g' -e 's/\\0134/\\/g'
}

# What `stat` says of the managed files of manifest $1 that nobody may write in place, and of those of directory $1.
expected_stats() { sed -n 's/^f \([^ ]* [^ ]* [^ ]*\) [^ ]* /\1 /p' "$1" | plain; }
stats() { (cd -- "$1" && xargs -0 stat -c '%a %s %Y %n' -- 2>/dev/null); }

# Keeps at hand what `guard` compares.
expect() {
  rm -rf .runner/guard && mkdir .runner/guard || return
  names f "$1" >.runner/guard/names
  expected_stats "$1" >.runner/guard/expected
  : >.runner/guard/known
}

# The lines of file $1 that file $2 does not have.
only_in() {
  sort "$1" >"$1.sorted"
  sort "$2" >"$2.sorted"
  comm -23 "$1.sorted" "$2.sorted"
}

# Compares directory $1 with what is expected. The lines that differ are left in .runner/guard/differs; fails when
# they are not the ones known already.
guard() {
  stats "$1" <.runner/guard/names >.runner/guard/now
  if cmp -s .runner/guard/expected .runner/guard/now; then
    : >.runner/guard/differs
  else
    only_in .runner/guard/expected .runner/guard/now >.runner/guard/differs
  fi
  cmp -s .runner/guard/differs .runner/guard/known
}

# Names the files that lines of `expected_stats` stand for.
say_differs() { sed 's/^[^ ]* [^ ]* [^ ]* //' | while IFS= read -r path; do say differs "$path"; done; }

# Re-points `current` by one rename. `mv` without -T would put the link into the old release; where -T is not
# known, -h (BSD), perl or python3 rename instead.
point() {
  [ -L current ] || [ ! -e current ] || refuse '`current` is not a link'
  rm -f .runner/current.new && ln -s -- "$1" .runner/current.new || return
  mv -fT .runner/current.new current 2>/dev/null ||
    mv -fh .runner/current.new current 2>/dev/null ||
    perl -e 'rename $ARGV[0], $ARGV[1] or exit 1' .runner/current.new current 2>/dev/null ||
    python3 -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' .runner/current.new current
}
