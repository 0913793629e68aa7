# Functions of the two fills. `$run` is a scratch directory; the `edit` files in it come with the pack on standard
# input. Several processes at once unpack a pack in parts: the one that begins has `$stage` `first`, and the one that
# follows all of them has `last`.
# Given:
#   stdin                      a pack, or a part of it
#   root                       the site
#   name, record               the release and its record
#   begun                      nothing: the directory must be made; yes: it exists; half: it must be emptied
#   stage                      first: more parts of the pack follow; last: all are unpacked; nothing: the pack is whole
#   expand                     the program that decompresses the pack, or nothing
#   last                       the previous release, or nothing
#   guarded                    yes if files that releases share must be guarded
#   protects                   yes if files that releases share lose their write bits
#   digest                     the digest of the new manifest of the release
#   places(path kept_as by shown relied_on)  directories to compare with their manifests, see `survey_one`
#   gone_files(path...)        files and links to remove
#   gone_directories(path...)  directories to remove after them
run=.runner/fill
new=releases/$name
# Matches the manifest line of what others than its owner can write.
open_modes='^[dfg] [0-7]*\([2367][0-7]\|[2367]\) '

# For scripts that run outside of the shell that holds the lock.
begin_beside() {
  cd -- "$root" || refuse "cannot enter \`$root\`"
  begin_busy
  # Processes that this script started must have ended as well.
  trap 'wait; end_busy' EXIT
  enter
  umask 022
}

begin() {
  begin_beside
  case $begun in
    '') make_release ;;
    half) empty_release ;;
  esac
  # Nobody else enters it until it is whole: commands made some of its directories writable for others.
  chmod 700 -- "$new" && rm -rf -- "$run" && mkdir -- "$run" || exit
}

empty_release() { drop "$new" && mkdir -m 700 -- "$new" || exit; }

# The plan of this fill relies on the state of directories. If that state is another one, `$stale` is set: then nothing
# may be filled, and the client makes a new plan.
check_plan() {
  scratch=$run
  stale=
  places survey_one
}

give_up() {
  rm -rf -- "$run"
  say stale yes
  exit 0
}

# From the sorted names on standard input, drops those that are inside of another one.
tops() {
  awk '{
    parent = $0
    if (!sub(/\/[^\/]*$/, "", parent) || !(parent in seen)) print
    seen[$0]
  }'
}

# Removes from directory $1 what the lines in file $2 name; they may be inside of each other. First all at once, then
# one by one whatever is left.
clear_out() {
  [ -s "$2" ] || return 0
  sort "$2" | tops >"$run/tops"
  set -- "$1" "$run/tops"
  sed "/$mark/d" "$2" | tr '\n' '\0' | (cd -- "$1" && xargs -0 rm -rf --) 2>/dev/null
  while IFS= read -r path; do
    decode "$1"
    if [ -e "$1/$path" ] || [ -L "$1/$path" ]; then drop "$1/$path"; fi
  done <"$2"
}

# Removes from directory $1, in which nobody else can write, what is of another kind than manifest $2 says. Above all a link in
# place of a directory: nothing may be removed or unpacked through it. Directories are made writable.
settle() {
  list "$1" -type d \( -perm -700 -o -exec chmod u+rwx {} \; \) | misplaced "$2" >"$run/misplaced" ||
    refuse 'failed to list directories'
  clear_out "$1" "$run/misplaced"
}

# Updates directory $1, which is settled and which manifest $2 describes, from the pack: removes what is gone, unpacks the rest.
change() {
  (cd -- "$1" && gone_files rm -f -- && gone_directories remove_directories) || exit
  # The first versions left what the work tree let others write.
  ! grep -q "$open_modes" "$2" || chmod -R go-w -- "$1" || exit
  unpack
  [ -z "$stage" ] || {
    say filled half
    exit 0
  }
}

unpack() {
  if [ -z "$expand" ]; then
    untar
    return
  fi
  # If the input of `tar` ends between two members, `tar` takes that for the end, even if decompression has failed.
  broken=$run/broken.$$
  : >"$broken" || exit
  { "$expand" -dc && rm -f -- "$broken"; } | (untar) || exit
  [ ! -e "$broken" ] || refuse "failed to decompress the pack: \`$expand -dc\` failed"
}

# `-p` keeps modes whatever the umask (busybox also needs `umask 0`); `-o` makes this user the owner.
untar() { (umask 0 && exec tar -xpof -) || refuse "failed to unpack the pack: \`tar\` exited with status $?"; }

# Once everything is unpacked: sets modes and writes the manifest.
describe() {
  edited_modes "$run/edit" >"$run/modes"
  set_modes "$1" "$run/modes" || refuse 'failed to set modes'
  edit "$2" "$run/edit" || refuse 'failed to write the manifest'
}

# A directory that is gone already, or that cannot be emptied, is no failure here: the check at the end decides.
remove_directories() { rmdir -- "$@" 2>/dev/null || :; }

edit() { awk -f "$run/edit.awk" "$2" "$1" >"$1.next" && mv -f -- "$1.next" "$1"; }

# For a path that becomes shared and that `shared/` does not have yet: it starts with what the application left in the
# previous release, plus what is new in the source. A link is copied as it is, so that linking refuses the path.
start_shared() {
  old=releases/$last/$1
  release_kind "$1" "$new"
  # This, too, is refused when it is linked.
  case $kind in below_*) return 0 ;; esac
  # What is behind a link is not of that release.
  release_kind "$1" "releases/$last"
  case $kind in below_*) return 0 ;; esac
  if [ -L "$old" ]; then
    case $(readlink "$old") in *shared/"$1") return 0 ;; esac
    drop "$new/$1"
    case $1 in */*) mkdir -p -- "$new/${1%/*}" || exit ;; esac
    cp -RpP -- "$old" "$new/$1" || exit
    return 0
  fi
  [ -e "$old" ] || return 0
  if [ ! -e "$new/$1" ] && [ ! -L "$new/$1" ]; then
    case $1 in */*) mkdir -p -- "$new/${1%/*}" || exit ;; esac
    copy_own "$1" || say_missed "$old" "$new/$1" "$1"
  elif [ -d "$old" ] && [ -d "$new/$1" ] && [ ! -L "$new/$1" ]; then
    mv -- "$new/$1" "$run/brought" || exit
    copy_own "$1" || say_missed "$old" "$new/$1" "$1"
    (umask 0 && (cd -- "$run/brought" && tar -cf - .) | (cd -- "$new/$1" && tar -xpof -)) ||
      refuse "failed to copy the files of the source into \`$1\` of the previous release"
    drop "$run/brought"
  fi
}

# Copies path $1 of the previous release, from within its directory.
copy_own() {
  (
    refuse() { exit 1; }
    reach_parent "releases/$last/$1" && cp -RpP -- "./$item" "$root/$new/$1"
  ) 2>>"$run/errors"
}

# Copies a link of the previous release, where the new one has nothing.
keep_link() {
  [ -L "releases/$last/$1" ] || return 0
  release_kind "$1" "$new"
  [ "$kind" = nothing ] || return 0
  case $1 in */*) mkdir -p -- "$new/${1%/*}" || exit ;; esac
  cp -RpP -- "releases/$last/$1" "$new/$1" || exit
}

# Reports what a copy from $1 to $2 missed, with prefix $3.
say_missed() {
  if [ ! -d "$1" ]; then
    say skipped "$3"
    return 0
  fi
  list "$1" >"$run/there" 2>/dev/null
  : >"$run/here"
  [ ! -d "$2" ] || list "$2" >"$run/here"
  { without "$run/here" <"$run/there"; unreadable "$1" <"$run/there"; } | say_skipped "$3/"
}

# A directory that this user may not read is copied without its content: names such directories.
unreadable() {
  while IFS= read -r line; do
    path=$line
    decode "$1"
    if [ ! -d "$1/$path" ] || [ -L "$1/$path" ]; then continue; fi
    if [ ! -r "$1/$path" ] || [ ! -x "$1/$path" ]; then printf '%s\n' "$line"; fi
  done
}

say_skipped() { sort -u | tops | while IFS= read -r path; do say skipped "$1$path"; done; }

# The fill fails unless every managed file of the release is as its manifest says.
finish() {
  if command -v sha256sum >/dev/null 2>&1; then
    case $(sha256sum <".runner/manifests/$name") in
      "$digest "*) ;;
      *) refuse 'the manifest differs from what was sent' ;;
    esac
  fi
  rm -rf .runner/guard && mkdir .runner/guard || exit
  [ -z "$guarded" ] || watch ".runner/manifests/$name"
  chmod 755 -- "$new" || exit
  record "$name" "$record" && rm -rf -- "$run" && say filled yes
}

# Files that releases share lose their write bits: who opens one to write it gets an error, instead of changing it in
# every release. Root can write it all the same, and its owner can change its mode first: for them there is the guard.
protect() {
  sed -n 's/^+f /f /p' "$run/edit" >"$run/sent"
  [ ! -s "$run/sent" ] || names f "$run/sent" | (cd -- "$new" && xargs -0 chmod a-w --) ||
    refuse 'failed to set modes'
}

# Stores what the guard compares later, if the files are as manifest $1 says.
watch() {
  names f "$1" >.runner/guard/names
  stats "%i $file_stats" "$new" <.runner/guard/names >.runner/guard/filled
  # Sites of the first versions: once.
  if [ "$protects" ] && grep -q "$has_write_bits" .runner/guard/filled; then
    (cd -- "$new" && xargs -0 chmod a-w --) <.runner/guard/names || refuse 'failed to set modes'
    stats "%i $file_stats" "$new" <.runner/guard/names >.runner/guard/filled
  fi
  all_match f "$1" <.runner/guard/filled || {
    expected_stats f "$1" | drop_write_bits >.runner/guard/expected
    stats "$file_stats" "$new" <.runner/guard/names | drop_write_bits >.runner/guard/now
    cmp -s .runner/guard/expected .runner/guard/now || {
      without .runner/guard/now <.runner/guard/expected | sed 's/^[^ ]* [^ ]* [^ ]* //' | say_each unlike
      refuse 'the release differs from what was sent'
    }
  }
  : >.runner/guard/known
}
