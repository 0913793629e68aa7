# Takes an adoption back: the directory and the link change places again. Finishes what an interrupted undo began.
# Given:
#   root, holder    the site, and the run that holds its lock
#   name            the release that the directory became
#   place           `current` or a docroot; nothing if `current` was a link before
#   link            the text of the link
#   records(name)   the adopted releases
#   entry           the line for the history
enter
if [ "$place" ]; then
  if [ -L "$place" ]; then
    [ "$(readlink "$place")" = "$link" ] && [ -d "releases/$name" ] && [ ! -L "releases/$name" ] ||
      refuse "\`$place\` does not lead to \`releases/$name\` any more"
    find_exchanger
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
