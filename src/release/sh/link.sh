# Links the shared paths into the release. If `shared/` does not have one, it is copied from the release: once and never
# again, for from then on it belongs to the users.
# Given:
#   root, holder            the site, and the run that holds its lock
#   name                    the release
#   shared(kind path link)  shared paths: directory or file, path, text of the link
#   brought(path)           files of the source under shared paths
#   fits                    which kinds fit together: asked for, in `shared/`, in the release
#   stamp                   the time for the history
enter
new=releases/$name
unfit=

# $1 is the kind, $2 the path, $3 the text of the link in the release.
check_one() {
  shared_kind "$2"
  in_shared=$kind
  at_shared=$at
  release_kind "$2" "$new"
  case $fits in
    *" $1:$in_shared:$kind "*) return 0 ;;
  esac
  unfit=yes
  say unfit "$2"
  say unfit_asked "$1"
  say unfit_shared "$in_shared"
  say unfit_shared_at "$at_shared"
  say unfit_release "$kind"
  say unfit_release_at "$at"
}

# .runner/seeded lists what this run put into `shared/`, for the undo: the release on the first line, then the seeded
# paths (`s`) and the directories made for them (`d`).
remember() {
  seeded=$root/.runner/seeded
  [ "$(head -n 1 "$seeded" 2>/dev/null)" = "$name" ] || printf '%s\n' "$name" >"$seeded" || exit
  printf '%s%s\0' "$1" "$2" | lines >>"$seeded" || exit
}

# Moves .runner/seed to path $1 of `shared/`, and makes the directories on the way.
place_seed() (
  makes=yes
  way=
  making() {
    made=${1#shared/}
    remember d "${made%"${way:+/$way}"}"
  }
  reach "shared/$1" || exit
  remember s "$1"
  move_to "$root/.runner/seed" "./$item"
)

place_link() (
  makes=yes
  reach_parent "$1" || exit
  drop "./$item"
  # Not into a directory that somebody has put there meanwhile.
  ln -sn -- "$2" "./$item"
)

link_one() {
  if [ ! -e "shared/$2" ] && [ ! -L "shared/$2" ]; then
    drop .runner/seed
    if [ -e "$new/$2" ] && [ ! -L "$new/$2" ]; then
      # A copy: the file may share its inode with the previous release.
      cp -RpP -- "$new/$2" .runner/seed || exit
    else
      mkdir .runner/seed || exit
      say made "$2"
    fi
    place_seed "$2" || exit
    note "$stamp seed $name $2"
    # Whatever is written under a seeded path from now on is newer than this file.
    touch .runner/seeded
    say seeded "$2"
  fi
  place_link "$new/$2" "$3" || exit
}

lost() { [ -e "shared/$1" ] || [ -L "shared/$1" ] || say brought "$1"; }

shared check_one
[ -z "$unfit" ] || exit 1
shared link_one
brought lost
say linked yes
