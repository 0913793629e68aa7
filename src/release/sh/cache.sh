# Fills a release from `cache/`, a clean copy that no command ever sees. Dirty from its first change to its last, so
# that a run that dies in between leaves a cache that the next one checks by hash.
manifest=.runner/manifests/.cache

prepare() {
  begin
  check_plan
  [ -z "$stale" ] || give_up
  put .runner/cache dirty || exit
  [ ! -L cache ] || rm -f cache
  mkdir -p cache || exit
  [ -n "$base" ] || : >"$manifest"
  list cache | unmanaged "$manifest" >"$run/others" || refuse '`cache` could not be listed'
  clear_out cache "$run/others"
  change cache "$manifest" cache
}

if [ "$stage" = last ]; then begin_beside; else prepare; fi
describe cache "$manifest"
put .runner/cache "$cache_digest" || exit

cp -a --reflink=auto -- cache/. "$new/" 2>/dev/null || cp -RpP -- cache/. "$new/" || exit
cp -- "$manifest" ".runner/manifests/$name" && edit ".runner/manifests/$name" "$run/edit.release" || exit
[ -z "$last" ] || starting start_shared
finish
