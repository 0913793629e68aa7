# Replaces a file by one rename: other releases keep theirs.
# Given:
#   root, place  the site, and a directory of it
#   file         a path below that, or an absolute one
#   content      the new content
#   mode         its mode; nothing: that of the file before, or 644
#   temporary    a name that nobody can predict
#   directories  yes if those that are missing are made
makes=$directories
umask 022
go reach_parent
[ ! -d "./$item" ] || refuse 'it is a directory'
# The mode of a file of another user says nothing: who can write here chose it. Files that releases share have no write
# bits; this one is shared no more.
if [ -z "$mode" ]; then
  mode=644
  if [ -f "./$item" ] && [ ! -L "./$item" ] && is_ours "./$item"; then
    was=$(stat -c %a -- "./$item" 2>/dev/null)
    case $was in [0-7][0-7][0-7]) mode=$was ;; esac
  fi
  writable=u+w,go-w
else
  writable=
fi
# In a directory of its own, which nobody else can enter, whatever the rights of this one are: its files get them, too.
make_file() (
  umask 077
  mkdir -m 700 "./$temporary" || exit
  item=$temporary
  step_into "$file" && is_ours . || exit
  set -C
  printf %s "$content" >./new && chmod "$mode" ./new && { [ -z "$writable" ] || chmod "$writable" ./new; } || exit
  mv -fT ./new "../$name" 2>/dev/null || { [ ! -d "../$name" ] && mv -f ./new "../$name"; }
)
name=$item
make_file
status=$?
rm -rf -- "./$temporary"
exit "$status"
