# Says what of a directory is no longer as its manifest says: files and directories by `stat`, links by their targets,
# and where that is asked files by hash. `$scratch` is a directory for what is compared.
# Given:
#   touched(path)  files that commands are known to have replaced

# $1 is the directory, $2 its manifest's name, $3 how files are compared (`stat`, `hash` or `not`), $4 whether the
# manifest is to be shown. $5 is a digest when something is about to be built on the directory: `$stale` then says
# that it is not as the manifest with that digest says, but for the files that commands are known to have replaced.
# `$settled` collects the directories that are just as their manifest says, all of it.
survey_one() {
  say place "$1"
  kept=.runner/manifests/$2
  if [ -n "$4" ] && [ -f "$kept" ]; then say_manifest; fi
  [ "$3" != not ] || return 0
  touched print_one | lines >"$scratch/touched"
  if command -v sha256sum >/dev/null 2>&1; then
    found=$(sha256sum <"$kept" 2>/dev/null)
    say digest "${found%% *}"
    [ "${found%% *}" = "$5" ] || stale=${stale:-$5}
  fi
  names df "$kept" >"$scratch/names"
  is_settled=
  if [ "$3" != hash ] && stats "%f $file_stats" "$1" <"$scratch/names" | all_match df "$kept"; then
    is_settled=yes
  else
    look_closer "$@"
  fi
  if has_kind l "$kept"; then
    say_links "$1"
    is_settled=
  elif has_kind g "$kept"; then
    # What stands there now was not looked at.
    is_settled=
  fi
  [ -z "$is_settled" ] || settled="$settled $1 "
}

# Half of it are hashes; the rest is paths, which are a fifth when they are compressed.
say_manifest() {
  if command -v gzip >/dev/null 2>&1 && command -v base64 >/dev/null 2>&1; then
    printf 'packed='
    gzip -c <"$kept" | base64
  else
    printf 'manifest='
    cat -- "$kept"
  fi
  printf '\0'
}

look_closer() {
  compare "$1" d "$directory_stats" "$5"
  compare "$1" f "$file_stats" "$5"
  [ "$3" != hash ] || compare_content "$1"

  # Managed directories that are none: what is seen through them is not of the release.
  list "$1" -type d >"$scratch/directories"
  names d "$kept" | lines | without "$scratch/directories" >"$scratch/gone"
  say_each gone <"$scratch/gone"
  [ ! -s "$scratch/gone" ] || stale=${stale:-$5}
}

print_one() { printf '%s\0' "$1"; }

compare() {
  names "$2" "$kept" >"$scratch/names"
  expected_stats "$2" "$kept" >"$scratch/expected"
  stats "$3" "$1" <"$scratch/names" >"$scratch/now"
  without "$scratch/now" <"$scratch/expected" | sed 's/^[^ ]* [^ ]* [^ ]* //' >"$scratch/differs"
  say_each differs <"$scratch/differs"
  without "$scratch/touched" <"$scratch/differs" >"$scratch/news"
  [ ! -s "$scratch/news" ] || stale=${stale:-$4}
}

compare_content() {
  expected_sums "$kept" >"$scratch/expected"
  (cd -- "$1" && xargs -0 sha256sum -- <"$scratch/names" 2>/dev/null) >"$scratch/now"
  without "$scratch/now" <"$scratch/expected" | sed 's/^[^ ]*  //' | say_each differs
}

say_links() {
  (
    cd -- "$1" || exit
    find . -type l -printf 'link=%P\0target=%l\0' 2>/dev/null ||
      find . -type l -exec sh -c '
        for path; do
          printf "link=%s\0target=" "${path#./}"
          readlink -n -- "$path"
          printf "\0"
        done' sh {} +
  )
}
