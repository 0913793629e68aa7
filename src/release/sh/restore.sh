# Restores the content that was sent, in every release that shares an inode which a command wrote. Replaces each file by
# one rename, so a reader sees either the whole written file or the whole right one.
# Given:
#   stdin           a pack with the original files
#   root, holder    the site, and the run that holds its lock
#   name            the release whose command wrote them
#   keeps           yes if that release keeps what was written
#   restored(path)  the files
cd -- "$root" || refuse "cannot enter \`$root\`"
begin_busy
trap end_busy EXIT
enter
rm -rf .runner/restore && mkdir .runner/restore || exit
(umask 0 && tar -xpof -) || refuse "failed to unpack the pack: \`tar\` exited with status $?"
# Most of these files are not in the pack.
special_files ".runner/manifests/$name" >.runner/restored.modes
set_modes .runner/restore .runner/restored.modes 2>/dev/null || :
grep -q "$has_write_bits" .runner/guard/filled || find .runner/restore -type f -exec chmod a-w {} +
is_shared() {
  [ -f "$1" ] && [ ! -L "$1" ] || return
  [ "$1" -ef "$2" ] || grep -q "^$(stat -c %i -- "$1") " .runner/guard/filled
}
put_back() (
  reach_parent "$2" || exit
  # Into what a link leads to, nothing is moved.
  [ ! -L "./$item" ] || rm -f -- "./$item"
  mv -fT -- "$root/$1" "./$item" 2>/dev/null || mv -f -- "$root/$1" "./$item"
)
restore_one() {
  written=releases/$name/$1
  for release in releases/* releases/.[!.]*; do
    if [ "$release" = "releases/$name" ] || ! is_shared "$release/$1" "$written"; then continue; fi
    cp -p -- ".runner/restore/$1" .runner/restored && put_back .runner/restored "$release/$1" || exit
  done
  # It has the inode for itself now.
  [ -z "$keeps" ] || return 0
  if [ -d "$written" ] && [ ! -L "$written" ]; then return 0; fi
  if [ -e "$written" ] || [ -L "$written" ]; then put_back ".runner/restore/$1" "$written" || exit; fi
}
restored restore_one
drop .runner/restore .runner/restored.modes .runner/restored.modes.one
# From now on, a difference means that a command wrote again.
[ "$keeps" ] || : >.runner/guard/known
say restored yes
