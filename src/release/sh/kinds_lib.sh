# Functions that tell what is at a path. `path_kinds.rs` has the words, and the rules for them.
# Given: nothing

# Sets `$kind` to what `shared/` has at $1, and `$at` to what is in the way or where a link to nothing leads.
shared_kind() {
  kind=nothing
  at=
  if [ -d "shared/$1" ]; then
    kind=directory
  elif [ -e "shared/$1" ]; then
    kind='file'
  elif [ -L "shared/$1" ]; then
    kind=dangling
    at=$(readlink "shared/$1")
  else
    way=$1
    while [ "$way" != "${way%/*}" ]; do
      way=${way%/*}
      [ ! -d "shared/$way" ] || break
      if [ -e "shared/$way" ] || [ -L "shared/$way" ]; then
        kind=blocked
        at=$way
      fi
    done
  fi
}

# Sets `$kind` to what directory $2 has at $1, and `$at` to what is in the way.
release_kind() {
  kind=nothing
  at=
  if [ -L "$2/$1" ]; then
    kind='link'
  elif [ -d "$2/$1" ]; then
    kind=directory
  elif [ -e "$2/$1" ]; then
    kind='file'
  fi
  # The topmost counts.
  way=$1
  while [ "$way" != "${way%/*}" ]; do
    way=${way%/*}
    if [ -L "$2/$way" ]; then
      kind=below_link
      at=$way
    elif [ -e "$2/$way" ] && [ ! -d "$2/$way" ]; then
      kind=below_file
      at=$way
    fi
  done
}
