# Fills a release from `cache/`, a clean copy that no command ever sees. Dirty from its first change to its last, so
# that a run that dies in between leaves a cache that the next one checks by hash.
# Given:
#   stdin                      a pack, or a part of it
#   root, holder               the site, and the run that holds its lock
#   name, record               the release and its record
#   begun                      nothing: the directory is still to be made; yes: it is there; half: it is to be emptied
#   stage                      first: more parts of the pack come; last: all are unpacked; nothing: the pack is whole
#   expand                     the program that expands the pack, or nothing
#   base                       what it is filled from: a release, `cache`, or nothing
#   last                       the last release, or nothing
#   copy                       how files are duplicated: link, reflink, copy
#   guarded                    yes if files that releases share are to be guarded
#   digest, cache_digest       of the manifests that the release and `cache` end up with
#   places(path kept_as by shown relied_on)  directories to compare with their manifests, see `survey_one`
#   touched(path)              files that commands are known to have replaced
#   gone_files(path...)        what is removed first
#   gone_directories(path...)  then these
#   left_out(path)             what is not carried over
#   written_anew(path)         generated paths, which commands will write
#   starting(path)             shared paths that `shared/` does not have yet
manifest=.runner/manifests/.cache

prepare() {
  begin
  check_plan
  [ -z "$stale" ] || give_up
  put .runner/cache dirty || exit
  [ ! -L cache ] || rm -f cache
  mkdir -p cache || exit
  [ -n "$base" ] || : >"$manifest"
  list cache | unmanaged "$manifest" >"$run/others" || refuse 'failed to list `cache`'
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
