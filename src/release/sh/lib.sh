# Functions that the scripts of this folder share. POSIX sh; runs in dash, bash, busybox, ksh and zsh.
# Given:
#   root    the site
#   holder  the run that holds its lock, for scripts that write

# Every script begins with this. It sorts and matches bytes, whatever the user's locale, and makes files that the web
# server can read and nobody else can write, whatever the user's umask.
enter() {
  umask 022
  LC_ALL=C
  export LC_ALL
  cd -- "$root" || refuse "cannot enter \`$root\`"
  [ -z "$holder" ] || is_held || refuse 'this run no longer holds the lock of the site'
}

# Whether this run still has the lock: after a lost connection, another run may have taken it.
is_held() {
  held=
  { IFS= read -r held <.runner/lock; } 2>/dev/null
  case $held in
    *"\"run\":\"$holder\""*) ;;
    *) return 1 ;;
  esac
}

# Turns names that end in NUL into lines; \001 stands for a newline in a name.
mark=$(printf '\001')
lines() { tr '\n\0' '\001\n'; }

# Turns the line in `$path` into the name of the item in directory $1.
decode() {
  case $path in
    *"$mark"*)
      [ -e "$1/$path" ] || [ -L "$1/$path" ] || {
        path=$(printf '%s.' "$path" | tr '\001' '\n')
        path=${path%.}
      }
      ;;
  esac
}

# Lists, as such lines, everything below directory $1 that `find` chooses (its operands follow $1). A directory comes
# before its content.
list() {
  (cd -- "$1" && shift && find . "$@" -print0) | lines | sed -e 's|^\./||' -e '/^\.$/d'
}

# Prints `stat` in format $1 for names in directory $2; standard input has the names, each followed by NUL.
stats() { (cd -- "$2" && xargs -0 stat -c "$1" -- 2>/dev/null); }
file_stats='%a %s %Y %n'
# Matches such a line, with an inode before it, if the file can be written.
has_write_bits='^[0-9]* [0-7]*[2367][0-7]\{0,2\} '
directory_stats='%a 0 0 %n'

# The lines on standard input that file $1 does not have. Not every busybox has `comm`.
without() { awk 'first { seen[$0]; next } !($0 in seen)' first=1 "$1" first= -; }

# Compares the files of directory $1 with their state after the fill. Writes the lines that differ to
# .runner/guard/differs, and fails if these are not the known ones. A file that was replaced has another inode.
guard() {
  stats "%i $file_stats" "$1" <.runner/guard/names >.runner/guard/now
  if cmp -s .runner/guard/filled .runner/guard/now; then
    : >.runner/guard/differs
    [ ! -s .runner/guard/known ]
  else
    without .runner/guard/now <.runner/guard/filled >.runner/guard/differs
    cmp -s .runner/guard/differs .runner/guard/known
  fi
}
say_guarded() { sed 's/^[^ ]* //' .runner/guard/differs | say_differs; }

# Reports the names in `stat` lines of format `$file_stats`.
say_differs() { sed 's/^[^ ]* [^ ]* [^ ]* //' | say_each differs; }

# Reports each line on standard input as a field $1.
say_each() { while IFS= read -r line; do say "$1" "$line"; done; }

# Points `current` to $1 by one rename. `mv` without `-T` would move the link into the old release. Where `-T` is
# unknown, `-h` (BSD), perl or python3 do it.
point() {
  [ -L current ] || [ ! -e current ] || refuse '`current` is not a link'
  rm -f .runner/current.new && ln -s -- "$1" .runner/current.new || return
  mv -fT .runner/current.new current 2>/dev/null ||
    mv -fh .runner/current.new current 2>/dev/null ||
    perl -e 'rename $ARGV[0], $ARGV[1] or exit 1' .runner/current.new current 2>/dev/null ||
    python3 -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' .runner/current.new current
}
