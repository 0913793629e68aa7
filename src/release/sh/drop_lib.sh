# Removes trees in which others may write.
# Given: nothing

# Removes trees. First makes each directory of this user writable for it alone, from the top down: in one that is closed,
# nobody can put a link in place of another. Not files: all their hard links share a mode.
drop() {
  me=$(id -u)
  for tree in "$@"; do
    if [ -d "$tree" ] && [ ! -L "$tree" ]; then
      find "$tree" -type d \( ! -user "$me" -prune -o \
        \( -perm -020 -o -perm -002 -o ! -perm -700 \) -exec chmod u+rwx,go-w {} \; \) 2>/dev/null
      # GNU's `rm` holds on to the directories that it is in. Others go by path, where an owner may put a link.
      case $(rm --version 2>/dev/null) in
        *coreutils*) ;;
        *)
          if [ "$(find "$tree" -type d ! -user "$me" 2>/dev/null | head -n 1)" ]; then
            (cd -P -- "$tree" && depth=0 && empty_here)
            rmdir -- "$tree"
            continue
          fi
          ;;
      esac
    fi
    rm -rf -- "$tree"
  done
}

# Empties the current directory without going by path.
empty_here() {
  [ $((depth = depth + 1)) -lt 200 ] || return
  here=$(pwd -P)
  for item in ..?* .[!.]* *; do
    if [ -d "./$item" ] && [ ! -L "./$item" ]; then
      (cd -P -- "./$item" && [ "$(pwd -P)" = "$here/$item" ] && empty_here)
      rmdir -- "./$item"
    elif [ -e "./$item" ] || [ -L "./$item" ]; then
      rm -f -- "./$item"
    fi
  done
}
