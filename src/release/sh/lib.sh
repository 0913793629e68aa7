# Functions that the scripts of this folder share. POSIX sh; runs in dash, bash, busybox, ksh and zsh.

# Every script begins with it. Sorting and patterns are of bytes, whatever the user's language; what is made can be
# read by the web server, whatever the user's umask.
enter() {
  umask a+rx
  LC_ALL=C
  export LC_ALL
  unset CDPATH
  cd -- "$root" || refuse "cannot enter \`$root\`"
  [ -z "$holder" ] || is_held || refuse 'the lock of the site is no longer held by this run'
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

# The paths of a manifest's entries whose kind is in $1, a line each: the plain ones ($3 is 0) or the escaped ones (1).
paths() {
  awk -v kinds="$1" -v escaped="$3" 'index(kinds, $1) && (index($0, "\\") > 0) == escaped {
    print substr($0, length($1 $2 $3 $4 $5) + 6)
  }' "$2"
}

# The same as bytes with NUL ends. Only names with a newline or a backslash are escaped, and come last in a manifest.
names() {
  paths "$1" "$2" 0 | tr '\n' '\0'
  paths "$1" "$2" 1 | while IFS= read -r path; do printf '%b\0' "$path"; done
}

plain() {
  sed -e '/\\/!b' -e 's/\\0012/\
/g' -e 's/\\0134/\\/g'
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

# Gives entries of directory $1 the modes that lines of a manifest in file $2 say. busybox's tar, run by another than
# root, gives none to a directory that is there already, and to nothing the bits above 777. The zeros are for GNU, which
# keeps such bits of a directory otherwise.
set_modes() {
  [ -s "$2" ] || return 0
  cut -d ' ' -f 2 "$2" | sort -u | {
    wrong=
    while IFS= read -r mode; do
      sed -n "/^[^ ]* $mode /p" "$2" >"$2.one"
      names dfg "$2.one" | (cd -- "$1" && xargs -0 chmod -- "00$mode") || wrong=yes
    done
    [ -z "$wrong" ]
  }
}

# For awk: the path of a manifest's line, and a path as it is, but for what stands for a newline.
read_path='function entry_path() { return substr($0, length($1 $2 $3 $4 $5) + 6) }
function plain(text, newline,  n, before) {
  while (n = index(text, "\\")) {
    before = before substr(text, 1, n - 1) (substr(text, n + 1, 4) == "0012" ? newline : "\\")
    text = substr(text, n + 5)
  }
  return before text
}'

# The lines of names on standard input that manifest $1 does not have.
unmanaged() {
  awk "$read_path"' manifest { seen[plain(entry_path(), "\001")]; next } !($0 in seen)' manifest=1 "$1" manifest= -
}

# Everything below directory $1 as such lines, of what the operands of `find` behind it choose; a directory comes before
# what is in it.
list() {
  (cd -- "$1" && shift && find . "$@" -print0) | lines | sed -e 's|^\./||' -e '/^\.$/d'
}

# What `stat` says of the entries of manifest $2 whose kind is in $1. `f` are the files that nobody may write in place.
expected_stats() { sed -n "/^[$1] /p" "$2" | cut -d ' ' -f 2-4,6- | plain; }

# The same of what is in directory $2, by format $1, for the names on standard input.
stats() { (cd -- "$2" && xargs -0 stat -c "$1" -- 2>/dev/null); }
file_stats='%a %s %Y %n'
directory_stats='%a 0 0 %n'

# The lines on standard input that file $1 does not have. Not every busybox has `comm`.
without() { awk 'first { seen[$0]; next } !($0 in seen)' first=1 "$1" first= -; }

# Whether lines of `stat` on standard input, each with a first word that is the raw mode for directories, say of all
# entries of manifest $2 whose kind is in $1 that they are as they should be. False too where a name is escaped: who is
# to know what differs looks closer.
all_match() {
  awk -v kinds="$1" -v manifest="$2" '
    function next_entry() {
      while ((getline line < manifest) > 0)
        if (index(kinds, substr(line, 1, 1))) return 1
      return 0
    }
    {
      if (wrong = !next_entry()) exit
      split(line, want, " ")
      name = substr(line, length(want[1] want[2] want[3] want[4] want[5]) + 6)
      text = want[1] == "d" ? want[2] : want[2] " " want[3] " " want[4]
      is = want[1] == "d" ? $2 : $2 " " $3 " " $4
      if (wrong = is "" != text "" || substr($0, length($1 $2 $3 $4) + 5) != name) exit
      if (wrong = want[1] == "d" && $1 !~ /^4/) exit
    }
    END { exit wrong || next_entry() }'
}

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

# Names the files that lines of `expected_stats` stand for.
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
