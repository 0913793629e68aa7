# The way to a file that a recipe names. What stops it goes to standard error: exit code 2 if there is no such path, 3 if
# it is refused.
# Given:
#   root, place  the site, and a directory of it
#   file         a path below that, or an absolute one
refuse() {
  printf '%s\n' "$1" >&2
  exit 3
}

# Goes to the file, or with `reach_parent` as $1 to what has that name. Where it is outside of the site, all is up to
# the recipe.
go() {
  case $file in
    "$root"/*) "$1" "${file#"$root"/}" ;;
    /*) cd -- "${file%/*}/" && item=${file##*/} ;;
    *) "$1" "$place/$file" ;;
  esac || {
    status=$?
    [ "$status" != 2 ] || echo 'No such file or directory' >&2
    exit "$status"
  }
}
