# Fills a release from the last one. Only managed files share an inode with it: what commands left there is copied,
# what they will write (generated paths) is written anew.
begin
manifest=.runner/manifests/$name
: >"$manifest"

drop_generated() { drop "$new/$1"; }
remove_other() { drop "$new/$path"; }
drop_below() { case $1 in "$path"/*) drop "$new/$1" ;; esac; }
is_at() { case $path in "$1" | "$1"/*) at=yes ;; esac; }
is_left_out() {
  at=
  left_out is_at
  [ -n "$at" ]
}

copy_one() {
  if is_left_out || [ -e "$new/$path" ] || [ -L "$new/$path" ]; then return 0; fi
  cp -RpP -- "releases/$base/$path" "$new/$path" 2>>"$run/errors" || say skipped "$path"
  left_out drop_below
  say carried "$path"
}

# A directory that the source has by now as well: what it lacks is copied, file by file.
merge_one() {
  path=$top/$path
  if [ -d "releases/$base/$path" ] && [ ! -L "releases/$base/$path" ]; then
    is_left_out || [ -e "$new/$path" ] || mkdir -- "$new/$path"
  else
    copy_one
  fi
}

carry() {
  if [ -d "$new/$path" ] && [ ! -L "$new/$path" ] && [ ! -L "releases/$base/$path" ] && ! is_left_out; then
    top=$path
    list "releases/$base/$top" >"$run/inner"
    each "releases/$base/$top" merge_one <"$run/inner"
  else
    copy_one
  fi
}

if [ -n "$base" ]; then
  [ ! -f ".runner/manifests/$base" ] || cp -- ".runner/manifests/$base" "$manifest" || exit
  others "releases/$base" "$manifest" >"$run/others"
  case $copy in
    link) cp -al -- "releases/$base/." "$new/" 2>"$run/errors" ;;
    reflink) cp -a --reflink=always -- "releases/$base/." "$new/" 2>"$run/errors" ;;
    *) false ;;
  esac || cp -RpP -- "releases/$base/." "$new/" 2>"$run/errors" || :
  # What could not be copied was another's: it is named below, or missed by the check.
  each "releases/$base" remove_other <"$run/others"
fi
written_anew drop_generated
change "$new" "$manifest"
[ -z "$base" ] || each "releases/$base" carry <"$run/others"
check
