# Puts the sent content back into every release that shares an inode which a command wrote. Each file is replaced by
# one rename, so a reader sees the written or the right one, whole.
enter
rm -rf .runner/restore && mkdir .runner/restore || exit
(umask 0 && tar -xpof -) || refuse 'the pack could not be unpacked'
restore_one() {
  written=releases/$name/$1
  for release in releases/* releases/.[!.]*; do
    if [ "$release" = "releases/$name" ] || [ ! "$release/$1" -ef "$written" ]; then continue; fi
    cp -p -- ".runner/restore/$1" ".runner/restored" && mv -f -- .runner/restored "$release/$1" || exit
  done
  mv -f -- ".runner/restore/$1" "$written" || exit
}
restored restore_one
rm -rf .runner/restore
say restored yes
