# Replaces a file by one rename: other releases keep theirs.
# Given:
#   root, place  the site, and a directory of it
#   file         a path below that, or an absolute one
#   content      the new content
#   mode         its mode; nothing: that of the file before, or what the umask leaves
#   temporary    a name that nobody can foresee
go reach_parent
[ ! -d "./$item" ] || refuse 'it is a directory'
# Files that releases share have no write bits; this one is shared no more.
writable=
if [ -z "$mode" ] && [ -f "./$item" ] && [ ! -L "./$item" ]; then
  mode=$(stat -c %a -- "./$item" 2>/dev/null)
  writable=u+w
fi
# Makes a new file, or fails: it opens nothing that somebody put there.
set -C
(
  [ -z "$mode" ] || umask 077
  printf %s "$content" >"./$temporary"
) && { [ -z "$mode" ] || chmod "$mode" "./$temporary"; } &&
  { [ -z "$writable" ] || chmod "$writable" "./$temporary"; } &&
  mv -f -- "./$temporary" "./$item" || {
  rm -f -- "./$temporary"
  exit 1
}
