# Functions that the scripts of this folder share. POSIX sh; runs in dash, bash, busybox, ksh and zsh.
# Given:
#   root    the site
#   holder  the run that holds its lock, for scripts that write

# Every script begins with it. Sorting and patterns are of bytes, whatever the user's language; what is made can be
# read by the web server, whatever the user's umask.
enter() {
  umask a+rx
  LC_ALL=C
  export LC_ALL
  unset CDPATH
  cd -- "$root" || refuse "cannot enter \`$root\`"
  [ -z "$holder" ] || is_held || refuse 'this run no longer holds the lock of the site'
}

# Whether the lock is this run's: another may have taken it from one that was cut off.
is_held() {
  held=
  { IFS= read -r held <.runner/lock; } 2>/dev/null
  case $held in
    *"\"run\":\"$holder\""*) ;;
    *) return 1 ;;
  esac
}

# Removes trees. Directories are made writable first, each before it is entered; files are not, since a mode belongs
# to every link of a file.
drop() {
  for tree in "$@"; do
    [ -d "$tree" ] && [ ! -L "$tree" ] &&
      find "$tree" -type d ! -perm -700 -exec chmod u+rwx {} \; 2>/dev/null
    rm -rf -- "$tree"
  done
}

# Names with NUL ends as lines; \001 stands for a newline within a name.
mark=$(printf '\001')
lines() { tr '\n\0' '\001\n'; }

# Turns the line `$path` into the name that it stands for in directory $1.
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

# Everything below directory $1 as such lines, of what the operands of `find` behind it choose; a directory comes before
# what is in it.
list() {
  (cd -- "$1" && shift && find . "$@" -print0) | lines | sed -e 's|^\./||' -e '/^\.$/d'
}

# What `stat` says of what is in directory $2, by format $1, for the names with NUL ends on standard input.
stats() { (cd -- "$2" && xargs -0 stat -c "$1" -- 2>/dev/null); }
file_stats='%a %s %Y %n'
directory_stats='%a 0 0 %n'

# The lines on standard input that file $1 does not have. Not every busybox has `comm`.
without() { awk 'first { seen[$0]; next } !($0 in seen)' first=1 "$1" first= -; }

# Compares directory $1 with what it was filled with. The lines that differ are left in .runner/guard/differs; fails
# when they are not the ones known already. A file that was replaced has another inode.
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

# Names the files that lines of `stat` with `$file_stats` stand for.
say_differs() { sed 's/^[^ ]* [^ ]* [^ ]* //' | say_each differs; }

# Says each line on standard input as a field $1.
say_each() { while IFS= read -r line; do say "$1" "$line"; done; }

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
