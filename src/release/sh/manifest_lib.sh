# Reads manifests: no other script knows the format of their lines. Works with mawk, with busybox, and with any POSIX
# awk and sed, under LC_ALL=C.
#
# Given: nothing
#
# A manifest has one line for each entry, with one space between the parts (src/tree/manifest.rs):
#
#   KIND MODE SIZE MTIME HASH PATH
#
# KIND   `d` a directory, `l` a link, `f` a file that only runner writes, `g` a file that commands may write
# MODE   as `stat -c %a` prints it: four digits if it has bits above 777
# HASH   SHA-256 of a file's content or a link's target, in hex; `-` for a directory
# PATH   the rest of the line, with any spaces; `\0134` stands for a backslash, `\0012` for a newline
#
# A directory comes before its content. Paths without escapes come before all paths with escapes.
#
# In names on a line of their own, \001 stands for a newline, as with `lines`.

# For awk: the kind of a line, its path as written there, and that path as a name.
read_entry='
function entry_kind() { return $1 }
function entry_path() { return substr($0, length($1 $2 $3 $4 $5) + 6) }
function entry_name() { return plain(entry_path(), "\001") }
function plain(text, newline,  n, before) {
  while (n = index(text, "\\")) {
    before = before substr(text, 1, n - 1) (substr(text, n + 1, 4) == "0012" ? newline : "\\")
    text = substr(text, n + 5)
  }
  return before text
}'

# For awk: a mode without its write bits. Files that releases share have none, whatever the source says; sites made by
# the first versions still have them.
without_write='
function no_write(mode,  tail) {
  if (!(mode in no_write_of)) {
    tail = substr("000" mode, length(mode) + 1)
    gsub(/3/, "1", tail)
    gsub(/2/, "0", tail)
    gsub(/7/, "5", tail)
    gsub(/6/, "4", tail)
    no_write_of[mode] = substr(mode, 1, length(mode) - 3) tail
  }
  return no_write_of[mode]
}'

# Drops the write bits of the modes that begin the lines on standard input.
drop_write_bits() {
  awk "$without_write"' $1 ~ /^[0-7]+$/ { $0 = no_write($1) substr($0, length($1) + 1) } { print }'
}

# Prints the paths of the entries of manifest $2 whose kind is in $1, one per line: those without escapes ($3 is 0), or
# those with escapes ($3 is 1).
paths() {
  awk -v kinds="$1" -v escaped="$3" 'index(kinds, $1) && (index($0, "\\") > 0) == escaped {
    print substr($0, length($1 $2 $3 $4 $5) + 6)
  }' "$2"
}

# Prints the same as names, each followed by NUL.
names() {
  paths "$1" "$2" 0 | tr '\n' '\0'
  paths "$1" "$2" 1 | while IFS= read -r path; do printf '%b\0' "$path"; done
}

# Replaces the escapes in lines. A line with a newline in its path becomes two lines.
plain() {
  sed -e '/\\/!b' -e 's/\\0012/\
/g' -e 's/\\0134/\\/g'
}

# Whether manifest $2 has an entry of kind $1.
has_kind() { grep -q "^$1 " "$2"; }

# The names on standard input that manifest $1 does not have.
unmanaged() {
  awk "$read_entry"' manifest { seen[entry_name()]; next } !($0 in seen)' manifest=1 "$1" manifest= -
}

# The names of the entries of manifest $1 whose kind is another one on disk: standard input has the directories that
# exist.
misplaced() {
  awk "$read_entry"'
    directory { seen[$0]; next }
    {
      name = entry_name()
      if ((entry_kind() == "d") != (name in seen)) print name
    }' directory=1 - directory= "$1"
}

# The directories at the top of manifest $1 that have more than an eighth of its entries, if their names are simple.
large() {
  awk "$read_entry"'
    { all++; path = entry_path() }
    sub(/\/.*/, "", path) { n[path]++ }
    END { for (path in n) if (path ~ /^[A-Za-z0-9._-]+$/ && n[path] * 8 > all) print path }' "$1"
}

# What `stat` should print for the entries of manifest $2 whose kind is in $1: mode, size, time, name.
expected_stats() { sed -n "/^[$1] /p" "$2" | cut -d ' ' -f 2-4,6- | plain; }

# What `sha256sum` should print for the files of manifest $1 that only runner writes.
expected_sums() { sed -n 's/^f [^ ]* [^ ]* [^ ]* \([^ ]*\) /\1  /p' "$1" | plain; }

# Whether the `stat` lines on standard input match all entries of manifest $2 whose kind is in $1, apart from the write
# bits of files. The first word of a line is the raw mode for directories. Also false if a name has an escape: to find
# what differs, look closer.
all_match() {
  awk -v kinds="$1" -v manifest="$2" "$without_write"'
    function next_entry() {
      while ((getline line < manifest) > 0)
        if (index(kinds, substr(line, 1, 1))) return 1
      return 0
    }
    {
      if (wrong = !next_entry()) exit
      split(line, want, " ")
      name = substr(line, length(want[1] want[2] want[3] want[4] want[5]) + 6)
      text = want[1] == "d" ? want[2] : no_write(want[2]) " " want[3] " " want[4]
      is = want[1] == "d" ? $2 : no_write($2) " " $3 " " $4
      if (wrong = is "" != text "" || substr($0, length($1 $2 $3 $4) + 5) != name) exit
      if (wrong = want[1] == "d" && $1 !~ /^4/) exit
    }
    END { exit wrong || next_entry() }'
}

# The lines of manifest $1 for files whose modes `tar` may not have set (see `set_modes`); these are few.
special_files() { sed -n '/^[fg] [0-7]\{4\} /p' "$1"; }

# The same for the lines that edit $1 adds to a manifest, each after a `+`; and all directories among them.
edited_modes() { sed -n -e 's/^+d /d /p' -e 's/^+\([fg] [0-7]\{4\} \)/\1/p' "$1"; }

# Sets the modes of entries of directory $1 from the manifest lines in file $2. Unless root runs it, busybox's tar sets
# no mode for a directory that exists, and no bits above 777 for anything. The zeros are for GNU chmod, which would
# otherwise keep such bits of a directory.
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

# Prints the links below directory $1 and their targets.
say_links() {
  (
    cd -- "$1" || exit
    find . -type l -printf 'link=%P\0target=%l\0' 2>/dev/null ||
      find . -type l -exec sh -c '
        for path; do
          printf "link=%s\0target=" "${path#./}"
          readlink -n -- "$path"
          printf "\0"
        done' sh {} +
  )
}
