# Reports what a directory that is to be adopted has at paths that are to be shared, and what keeps it from being moved to
# `shared/`. Changes nothing.
# Given:
#   root              the deploy path
#   place             the directory, in it
#   shared            where `shared/` is or will be
#   asked(path link)  the paths, and the text of the link that takes the place of each
enter

# Whether both names lead to the same file or directory.
are_same() {
  [ -e "$1" ] && [ -e "$2" ] || return
  # Where there is no `stat`, nothing is known to be the same.
  id=$(stat -L -c '%d:%i' -- "$1" 2>/dev/null) && [ "$id" = "$(stat -L -c '%d:%i' -- "$2" 2>/dev/null)" ]
}

# What keeps $item, which becomes shared path $1, where it is.
obstacle_of() {
  above=${item%/*}
  if [ ! -w "$above" ]; then
    echo "parent $above"
  elif [ -L "$item" ]; then
    case $(readlink "$item") in
      /*) ;;
      *) echo "relative $(readlink "$item")" ;;
    esac
  elif [ -d "$item" ]; then
    # To move a directory is to write in it: its `..` changes.
    [ -w "$item" ] && [ -r "$item" ] && [ -x "$item" ] || {
      echo "denied $(user_name "$(owner_of "$item")")"
      return
    }
    [ "$(stat -c %d -- "$item" 2>/dev/null)" = "$(stat -c %d -- "$place" 2>/dev/null)" ] || {
      echo 'mount'
      return
    }
    out=$(say_links_out link "$item" | tr '\0' '\n' | head -n 1)
    [ -z "$out" ] || echo "out ${out#link=}"
  fi
}

look_one() {
  item=$place/$1
  at=nothing
  obstacle=
  if [ -d "$item" ]; then
    at=directory
  elif [ -e "$item" ] || [ -L "$item" ]; then
    at='file'
  fi
  if [ "$at" = nothing ]; then
    :
  elif [ -L "$item" ] && [ "$(readlink "$item")" = "$2" ] || are_same "$item" "$shared/$1"; then
    at=shared
  elif [ -L "$shared/$1" ] && [ "$(readlink "$shared/$1")" = "$2" ]; then
    # An interrupted run has made it.
    obstacle=$(obstacle_of "$1")
  elif [ -e "$shared/$1" ] || [ -L "$shared/$1" ]; then
    obstacle="taken $shared/$1"
  else
    obstacle=$(obstacle_of "$1")
  fi
  say at "$at"
  say obstacle "$obstacle"
}

asked look_one
say looked yes
