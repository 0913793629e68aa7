# Reports how a directory differs from its manifest: files and directories by `stat`, links by their targets and, if
# requested, files by hash. `$scratch` is a directory for temporary files.
# Given:
#   touched(path)  files that commands are known to have replaced

# $1 is the directory, $2 the name of its manifest, $3 how to compare files (`stat`, `hash` or `not`), $4 whether to
# print the manifest. $5 is the digest of the manifest that a fill relies on, or nothing. `$stale` is set if the
# directory differs from that manifest, not counting files that commands are known to have replaced.
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
  if [ "$3" = hash ] || ! stats "%f $file_stats" "$1" <"$scratch/names" | all_match df "$kept"; then
    look_closer "$@"
  fi
  ! has_kind l "$kept" || say_links "$1"
}

# Half of a manifest is hashes. The rest is paths, which compress to a fifth.
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

  # Managed directories that are no directories any more: what is seen through them is not in the release.
  list "$1" -type d >"$scratch/directories"
  names d "$kept" | lines | without "$scratch/directories" >"$scratch/gone"
  say_each gone <"$scratch/gone"
  [ ! -s "$scratch/gone" ] || stale=${stale:-$5}
}

print_one() { printf '%s\0' "$1"; }

compare() {
  names "$2" "$kept" >"$scratch/names"
  expected_stats "$2" "$kept" | modes_of "$2" >"$scratch/expected"
  stats "$3" "$1" <"$scratch/names" | modes_of "$2" >"$scratch/now"
  without "$scratch/now" <"$scratch/expected" | sed 's/^[^ ]* [^ ]* [^ ]* //' >"$scratch/differs"
  say_each differs <"$scratch/differs"
  without "$scratch/touched" <"$scratch/differs" >"$scratch/news"
  [ ! -s "$scratch/news" ] || stale=${stale:-$4}
}

modes_of() { if [ "$1" = f ]; then drop_write_bits; else cat; fi; }

compare_content() {
  expected_sums "$kept" >"$scratch/expected"
  # A pipe in place of a file would never end.
  lines <"$scratch/names" | while IFS= read -r path; do
    decode "$1"
    if [ -f "$1/$path" ] && [ ! -L "$1/$path" ]; then printf '%s\0' "$path"; fi
  done >"$scratch/regular"
  (cd -- "$1" && xargs -0 sha256sum -- 2>/dev/null) <"$scratch/regular" >"$scratch/now"
  without "$scratch/now" <"$scratch/expected" | sed 's/^[^ ]*  //' | say_each differs
}
