# Functions of the two fills. `$run` is a scratch directory; the pack on standard input brings its `edit` files.
run=.runner/fill
mark=$(printf '\001')

begin() {
  enter
  umask 022
  rm -rf -- "$run" && mkdir -- "$run" || exit
  new=releases/$name
}

# Everything below a directory, a line each; \001 stands for a newline within a name.
list() { (cd -- "$1" && find . -print0) | tr '\n\0' '\001\n' | sed -e 's|^\./||' -e '/^\.$/d' | sort; }

# What stands in directory $1 and not in manifest $2; of a whole directory only its top.
others() {
  list "$1" >"$run/all"
  names dfgl "$2" | tr '\n\0' '\001\n' | sort >"$run/managed"
  comm -23 "$run/all" "$run/managed" | awk '{
    parent = $0
    if (!sub(/\/[^\/]*$/, "", parent) || !(parent in seen)) print
    seen[$0] = 1
  }'
}

# Runs $2... with `path` set to each name that the lines of `list` on standard input stand for in directory $1.
each() {
  directory=$1
  shift
  while IFS= read -r path; do
    case $path in
      *"$mark"*)
        [ -e "$directory/$path" ] || [ -L "$directory/$path" ] || {
          path=$(printf '%s.' "$path" | tr '\001' '\n')
          path=${path%.}
        }
        ;;
    esac
    "$@" </dev/null || return
  done
}

# Turns directory $1, described by manifest $2, into what the pack says: removes what is gone, unpacks the rest.
change() {
  (cd -- "$1" && gone_files rm -f -- && gone_directories remove_directories) || exit
  # -p keeps modes whatever the umask (busybox needs `umask 0` for it), -o makes the files ours.
  (umask 0 && tar -xpof -) || refuse 'the pack could not be unpacked'
  edit "$2" "$run/edit"
}

# What is gone already, or holds what cannot be removed, is no failure here: the check at the end decides.
remove_directories() { rmdir -- "$@" 2>/dev/null || :; }

edit() { awk -f "$run/edit.awk" "$2" "$1" >"$1.next" && mv -f -- "$1.next" "$1"; }

# Every managed file of the release is there as its manifest says, else the fill has failed.
check() {
  if command -v sha256sum >/dev/null 2>&1; then
    case $(sha256sum <".runner/manifests/$name") in
      "$digest "*) ;;
      *) refuse 'the manifest is not what was sent' ;;
    esac
  fi
  expect ".runner/manifests/$name" || exit
  [ -z "$guarded" ] || guard "$new" || {
    say_differs <.runner/guard/differs
    refuse 'the release is not what was sent'
  }
  record "$name" "$record" && rm -rf -- "$run" && say filled yes
}
