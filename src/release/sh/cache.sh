# Fills a release from `cache/`, a clean copy that commands never touch. It is marked dirty from its first change to its
# last: if a run dies in between, the next one checks the cache by hash.
# Given:
#   stdin                      a pack, or a part of it
#   root, holder               the site, and the run that holds its lock
#   name, record               the release and its record
#   begun                      nothing: the directory must be made; yes: it exists; half: it must be emptied
#   stage                      first: more parts of the pack follow; last: all are unpacked; nothing: the pack is whole
#   expand                     the program that decompresses the pack, or nothing
#   base                       what the release is filled from: a release, `cache`, or nothing
#   last                       the previous release, or nothing
#   copy                       how files are duplicated: link, reflink, copy
#   guarded                    yes if files that releases share must be guarded
#   protects                   yes if files that releases share lose their write bits
#   digest, cache_digest       digests of the new manifests of the release and of `cache`
#   places(path kept_as by shown relied_on)  directories to compare with their manifests, see `survey_one`
#   touched(path)              files that commands are known to have replaced
#   gone_files(path...)        files and links to remove
#   gone_directories(path...)  directories to remove after them
#   left_out(path)             paths that are not copied from the previous release
#   written_anew(path)         generated paths, which commands will write
#   starting(path)             shared paths that `shared/` does not have yet
#   kept_links(path)           links into `shared/` that another tool made in the previous release
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
  settle cache "$manifest"
  change cache "$manifest"
}

if [ "$stage" = last ]; then begin_beside; else prepare; fi
describe cache "$manifest"
put .runner/cache "$cache_digest" || exit

cp -a --reflink=auto -- cache/. "$new/" 2>/dev/null || cp -RpP -- cache/. "$new/" || exit
cp -- "$manifest" ".runner/manifests/$name" && edit ".runner/manifests/$name" "$run/edit.release" || exit
[ -z "$last" ] || { starting start_shared && kept_links keep_link; }
finish
