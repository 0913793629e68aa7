# Fills a release from the previous one. The two share the inodes of managed files only. What commands left there is
# copied; what they will write (generated paths) is sent anew.
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
manifest=.runner/manifests/$name

# Up to this many files, one process is quick enough.
many=2000

link_all() {
  if [ "$(wc -l <"$manifest")" -gt "$many" ]; then
    # `-t` is GNU's.
    case $(cp --version 2>/dev/null) in *coreutils*) link_by_several && return ;; esac
  fi
  copy_all -al
}

# Copies all that is in the release, but not its own mode: until it is whole, nobody else may enter the new one.
copy_all() (
  cd -- "releases/$base" || exit
  # shellcheck disable=SC2016 # the inner shell expands them
  find . ! -name . -prune -exec sh -c 'words=$1 to=$2; shift 2; exec cp $words -- "$@" "$to"' sh "$1" "$root/$new/" {} +
)

# Several processes link at once, each a share of the top directory's items. A directory at the top that holds a large
# part of all files is divided in the same way.
link_by_several() (
  here=$(pwd -P) && from=$here/releases/$base && to=$here/$new && shares=$here/$run/shares || exit
  is_alike "$from" "$to" || exit
  large "$manifest" >"$run/large" || exit
  set --
  while IFS= read -r large; do
    if [ ! -d "$from/$large" ] || [ -L "$from/$large" ]; then exit 1; fi
    mkdir -- "$new/$large" && is_alike "$from/$large" "$new/$large" && link_shares "$large" || exit
    set -- "$@" ! -name "$large"
  done <"$run/large"
  link_shares . "$@"
)

# Whether the new directory $2 equals directory $1 in all but its mode: the owner is the same, and $1 has no ACL.
is_alike() {
  case $(ls -ld "$1") in ??????????+*) return 1 ;; esac
  [ "$(stat -c %u:%g "$1")" = "$(stat -c %u:%g "$2")" ]
}

# Links what `find` chooses in directory $1 (its operands follow $1), with as many processes as a disk and a small
# server can take.
link_shares() (
  cd -- "$from/$1" && to=$to/$1 && shift && find . -mindepth 1 -maxdepth 1 "$@" -print0 >"$shares" || exit
  n=$(tr -cd '\0' <"$shares" | wc -c)
  xargs -0 -r -n $((n / 16 + 1)) -P 4 cp -al -t "$to" -- <"$shares" || exit
  [ "$to" -ef "$here/$new" ] || chmod "$(stat -c %a .)" "$to"
)

duplicate() {
  case $copy in
    link) link_all 2>"$run/errors" ;;
    reflink)
      copy_all '-a --reflink=always' 2>"$run/errors" || {
        # A failed attempt leaves empty files, and a plain copy could not open those that are read-only.
        empty_release
        false
      }
      ;;
    *) false ;;
  esac || copy_all -RpP 2>"$run/errors" || :
  # What could not be copied belongs to another user: it is reported below, or the check at the end misses it.
  clear_out "$new" "$run/others"
}

# Nothing is removed through a link: what it leads to is shared, or somebody else's.
drop_generated() {
  release_kind "$1" "$new"
  case $kind in below_*) ;; *) drop "$new/$1" ;; esac
}

# Chooses which of the files that commands left are copied. `out`: left out, with all that is in it; or a file or link
# that the source has now. `directory`: a directory that exists now. A directory above something that is left out is
# made (`m`), not copied whole (`c`).
choose() {
  left_out print_one | lines >"$run/left_out"
  : >"$run/wanted"
  awk -v wanted="$run/wanted" "$read_entry"'
    kind == "left" {
      out[$0]
      for (path = $0; sub(/\/[^\/]*$/, "", path);) way[path]
      next
    }
    kind == "managed" {
      if (entry_kind() == "d") directory[entry_name()]
      else out[entry_name()]
      next
    }
    {
      parent = $0
      if (!sub(/\/[^\/]*$/, "", parent)) parent = ""
      if (parent in whole) {
        whole[$0]
        print >wanted
        next
      }
      if ($0 in out || parent in out) {
        out[$0]
        next
      }
      for (path = parent; path != "";) {
        if (path in out) {
          out[$0]
          next
        }
        if (!sub(/\/[^\/]*$/, "", path)) path = ""
      }
      if ($0 in directory) next
      if ($0 in way) {
        print "m" $0
        next
      }
      whole[$0]
      print >wanted
      print "c" $0
    }' kind=left "$run/left_out" kind=managed "$manifest" kind=other "$run/others" >"$run/chosen" ||
    refuse 'failed to list what to copy from the previous release'
}

# Copies what was chosen, with one command for the items of one directory.
carry() {
  [ -s "$run/others" ] || { say carried 0; return; }
  sort -o "$run/others" "$run/others" || exit
  choose
  n=0
  into=
  failed=
  set --
  while IFS= read -r line; do
    path=${line#?}
    decode "releases/$base"
    case $path in */*) parent=$path; parent=${parent%/*}/ ;; *) parent= ;; esac
    if [ $# -ge 100 ] || [ "$into" != "$parent" ]; then
      copy "$@"
      set --
      into=$parent
    fi
    n=$((n + 1))
    case $line in
      m*)
        if [ -d "releases/$base/$path" ] && [ ! -L "releases/$base/$path" ]; then
          make_one
          continue
        fi
        ;;
    esac
    set -- "$@" "./${path##*/}"
  done <"$run/chosen"
  copy "$@"
  say carried "$n"
  sed -n "s/^c//p" "$run/chosen" | head -n 100 | say_each copied
  [ -z "$failed" ] || {
    list "$new" >"$run/here"
    without "$run/here" <"$run/wanted" >"$run/missed"
    unreadable "releases/$base" <"$run/wanted" >>"$run/missed"
    say_skipped '' <"$run/missed"
  }
}

make_one() {
  release_kind "$path" "$new"
  case $kind in link | below_*) failed=yes && return ;; esac
  mkdir -p -- "$new/$path" || exit
  chmod "$(stat -c %a -- "releases/$base/$path")" "$new/$path" 2>/dev/null || :
}

# From within the directory: what has become a link meanwhile is missed, not followed.
copy() {
  [ $# -gt 0 ] || return 0
  release_kind "$into." "$new"
  case $kind in link | below_*) failed=yes && return ;; esac
  [ -d "$new/$into" ] || mkdir -p -- "$new/$into" || exit
  (
    refuse() { exit 1; }
    reach_directory "releases/$base/$into" && cp -RpP -- "$@" "$root/$new/$into"
  ) 2>>"$run/errors" || failed=yes
}

# Runs while the plan is checked. The list is made first: what disappears meanwhile must not stay in the copy.
take_over() {
  list "releases/$base" | unmanaged "$manifest" >"$run/others" || refuse 'failed to list what commands left in the previous release'
  # In an adopted release nothing is managed. Later steps find what could not be copied or removed here.
  [ -s "$manifest" ] || return 0
  duplicate
  # Also what is as expected: it was looked at where it is copied from, and the web application may have changed it since.
  settle "$new" "$manifest"
}

prepare() {
  begin
  : >"$manifest"
  [ ! -f ".runner/manifests/$base" ] || cp -- ".runner/manifests/$base" "$manifest" || exit
  [ -z "$base" ] || take_over </dev/null &
  check_plan
  wait "$!" || exit
  [ -z "$stale" ] || { empty_release && give_up; }
  written_anew drop_generated
  change "$new" "$manifest"
}

if [ "$stage" = last ]; then begin_beside; else prepare; fi
describe "$new" "$manifest"
[ -z "$base" ] || carry
[ -z "$last" ] || { starting start_shared && kept_links keep_link; }
[ -z "$protects" ] || protect
finish
