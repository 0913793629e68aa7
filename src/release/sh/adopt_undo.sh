# Takes an adoption back: the directory and the link change places again. Finishes what an interrupted undo began.
# The note about the adoption stays: the next run goes on with it if `runner.toml` could not be changed.
# Given:
#   root, holder    the site, and the run that holds its lock
#   name            the release that the directory became
#   place           `current` or a docroot; nothing if `current` was a link before
#   link            the text of the link
#   records(name)   the adopted releases
#   shares(kind path link)  what of the directory was moved to `shared/`
enter

# Moves path $2 back from `shared/`, if link $3 is in its place.
unshare_one() (
  reach_parent "shared/$2" || exit "$(($? != 2))"
  from=$(where)/$item
  is_link() { [ -L "$1" ] && [ "$(readlink "$1")" = "$2" ]; }
  if is_link "$from" "$3"; then
    # An interrupted run has made it, or an administrator has moved the rest back.
    rm -f -- "$from"
  elif [ -e "$from" ] || [ -L "$from" ]; then
    reach_parent "releases/$name/$2" || exit
    if is_link "./$item" "$3"; then
      why=$(exchange "./$item" "$from" 2>&1)
      ! is_link "./$item" "$3" || refuse "failed to exchange \`shared/$2\` for the link${why:+: $why}"
      rm -f -- "$from"
    fi
  fi
  # Directories that were made for it.
  cd -- "$root/shared" || exit
  case $2 in */*) rmdir -p -- "${2%/*}" 2>/dev/null ;; esac
  exit 0
)

case $place in
  /*) [ ! -L "$place" ] || [ -w "${place%/*}/" ] || refuse "cannot write to \`${place%/*}\`" ;;
esac
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
[ -z "$place" ] || rmdir releases shared 2>/dev/null
say undone yes
