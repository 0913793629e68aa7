# Takes an adoption back: the directory and the link change places again. Finishes what an interrupted undo began.
# Given:
#   root, holder    the site, and the run that holds its lock
#   name            the release that the directory became
#   place           `current` or a docroot; nothing if `current` was a link before
#   link            the text of the link
#   records(name)   the adopted releases
#   shares(kind path link)  what of the directory was moved to `shared/`
#   entry           the line for the history
enter

# Moves path $2 back from `shared/`, if link $3 is in its place.
unshare_one() (
  reach_parent "shared/$2" || exit "$(($? != 2))"
  from=$(where)/$item
  reach_parent "releases/$name/$2" || exit
  is_shared() { [ -L "./$item" ] && [ "$(readlink "./$item")" = "$3" ]; }
  if is_shared "$@"; then
    { [ -e "$from" ] || [ -L "$from" ]; } || refuse "\`shared/$2\` is not there any more"
    why=$(exchange "./$item" "$from" 2>&1)
    ! is_shared "$@" || refuse "failed to exchange \`shared/$2\` for the link${why:+: $why}"
  fi
  # What an interrupted run has made leads nowhere, too.
  [ ! -L "$from" ] || [ "$(readlink "$from")" != "$3" ] || rm -f -- "$from"
  # Directories that were made for it.
  cd -- "$root/shared" || exit
  case $2 in */*) rmdir -p -- "${2%/*}" 2>/dev/null ;; esac
  exit 0
)

find_exchanger
# Before the exchange of the whole: after it, the release is a link.
if [ ! -L "releases/$name" ] && [ -d "releases/$name" ]; then shares unshare_one || exit; fi
if [ "$place" ]; then
  if [ -L "$place" ]; then
    [ "$(readlink "$place")" = "$link" ] && [ -d "releases/$name" ] && [ ! -L "releases/$name" ] ||
      refuse "\`$place\` does not lead to \`releases/$name\` any more"
    why=$(exchange "$place" "releases/$name" 2>&1)
  fi
  # Before anything is removed: what is left at these names leads nowhere.
  [ -d "$place" ] && [ ! -L "$place" ] || refuse "failed to exchange \`$place\` for the directory${why:+: $why}"
  [ ! -L "releases/$name" ] || rm -f "releases/$name"
  [ "$place" = current ] || [ -d current/ ] || rm -f current
fi
forget_one() { rm -f ".runner/records/$1" ".runner/manifests/$1"; }
records forget_one
# Without it there is nothing to undo, so it goes last.
rm -f .runner/adoption
note "$entry"
[ -z "$place" ] || rmdir releases shared 2>/dev/null
say undone yes
