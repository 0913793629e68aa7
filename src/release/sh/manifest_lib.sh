# Reads manifests: no other script knows what their lines look like. The awk and sed of mawk, busybox and POSIX will do,
# under LC_ALL=C.
#
# Given: nothing
#
# A manifest has a line an entry, whose parts have one blank between them (src/tree/manifest.rs):
#
#   KIND MODE SIZE MTIME HASH PATH
#
# KIND   `d` a directory, `l` a link, `f` a file that only runner writes, `g` a file that commands may write
# MODE   as `stat -c %a` prints it, so of four digits where it has bits above 777
# HASH   SHA-256 of a file's content or a link's target, in hex; `-` for a directory
# PATH   the rest of the line, which may have blanks, also at its end; `\0134` stands for a backslash, `\0012` for a newline
#
# A directory comes before what is in it, and a path that has no escape before all that have one.
#
# A name on a line of its own has \001 for a newline, as `lines` makes it.

# For awk: the kind of a line, its path as it stands there, and that path as a name.
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

# The paths of the entries of manifest $2 whose kind is in $1, a line each: the plain ones ($3 is 0) or the escaped ones (1).
paths() {
  awk -v kinds="$1" -v escaped="$3" 'index(kinds, $1) && (index($0, "\\") > 0) == escaped {
    print substr($0, length($1 $2 $3 $4 $5) + 6)
  }' "$2"
}

# The same as bytes with NUL ends.
names() {
  paths "$1" "$2" 0 | tr '\n' '\0'
  paths "$1" "$2" 1 | while IFS= read -r path; do printf '%b\0' "$path"; done
}

# Turns the escapes in lines into what they stand for: a line with a newline in its path becomes two.
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

# The names of the entries of manifest $1 that are not of its kind: standard input names the directories that are there.
misplaced() {
  awk "$read_entry"'
    directory { seen[$0]; next }
    {
      name = entry_name()
      if ((entry_kind() == "d") != (name in seen)) print name
    }' directory=1 - directory= "$1"
}

# The directories at the top of manifest $1 that hold more than an eighth of its entries, if their names are simple.
large() {
  awk "$read_entry"'
    { all++; path = entry_path() }
    sub(/\/.*/, "", path) { n[path]++ }
    END { for (path in n) if (path ~ /^[A-Za-z0-9._-]+$/ && n[path] * 8 > all) print path }' "$1"
}

# What `stat` says of the entries of manifest $2 whose kind is in $1: mode, size, time, name.
expected_stats() { sed -n "/^[$1] /p" "$2" | cut -d ' ' -f 2-4,6- | plain; }

# What `sha256sum` says of the files of manifest $1 that only runner writes.
expected_sums() { sed -n 's/^f [^ ]* [^ ]* [^ ]* \([^ ]*\) /\1  /p' "$1" | plain; }

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

# The lines whose modes `tar` may not have given, see `set_modes`: of manifest $1 the files, of which few have such modes.
special_files() { sed -n '/^[fg] [0-7]\{4\} /p' "$1"; }

# The same of what edit $1 puts into a manifest, where a line has `+` before it, and all directories.
edited_modes() { sed -n -e 's/^+d /d /p' -e 's/^+\([fg] [0-7]\{4\} \)/\1/p' "$1"; }

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
