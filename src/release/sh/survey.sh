# Reads what of directory `$place` is not as manifest `$manifest` says: files and directories by `stat`, links by their
# targets, and where that is asked files by hash.
enter
# `/tmp` may be closed to the user, and `mktemp` missing.
scratch=$(mktemp -d 2>/dev/null) || {
  scratch=.runner/survey.$$
  mkdir -p -- "$scratch" || exit
}
trap 'rm -rf -- "$scratch"' EXIT
command -v sha256sum >/dev/null 2>&1 && say digest "$(sha256sum <"$manifest" 2>/dev/null)"

compare() {
  names "$1" "$manifest" >"$scratch/names"
  expected_stats "$1" "$manifest" >"$scratch/expected"
  stats "$2" "$place" <"$scratch/names" >"$scratch/now"
  without "$scratch/now" <"$scratch/expected" | say_differs
}
compare d "$directory_stats"
compare f "$file_stats"
if [ "$by" = hash ]; then
  sed -n 's/^f [^ ]* [^ ]* [^ ]* \([^ ]*\) /\1  /p' "$manifest" | plain >"$scratch/expected"
  (cd -- "$place" && xargs -0 sha256sum -- <"$scratch/names" 2>/dev/null) >"$scratch/now"
  without "$scratch/now" <"$scratch/expected" | sed 's/^[^ ]*  //' | while IFS= read -r path; do say differs "$path"; done
fi

# Managed directories that are none: what is seen through them is not of the release.
list "$place" -type d >"$scratch/directories"
managed d "$manifest" | without "$scratch/directories" | while IFS= read -r path; do say gone "$path"; done

if grep -q '^l ' "$manifest"; then
  (
    cd -- "$place" || exit
    find . -type l -printf 'link=%P\0target=%l\0' 2>/dev/null ||
      find . -type l -exec sh -c '
        for path; do
          printf "link=%s\0target=" "${path#./}"
          readlink -n -- "$path"
          printf "\0"
        done' sh {} +
  )
fi
say surveyed yes
