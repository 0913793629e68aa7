# Reads which managed files of directory `$place` are not what manifest `$manifest` says: by `stat`, and by hash where
# that is asked.
enter
scratch=$(mktemp -d) || exit
trap 'rm -rf -- "$scratch"' EXIT
names f "$manifest" >"$scratch/names"
expected_stats "$manifest" >"$scratch/expected"
stats "$place" <"$scratch/names" >"$scratch/now"
only_in "$scratch/expected" "$scratch/now" | say_differs
if [ "$by" = hash ]; then
  sed -n 's/^f [^ ]* [^ ]* [^ ]* \([^ ]*\) /\1  /p' "$manifest" | plain >"$scratch/expected"
  (cd -- "$place" && xargs -0 sha256sum -- <"$scratch/names" 2>/dev/null) >"$scratch/now"
  only_in "$scratch/expected" "$scratch/now" | sed 's/^[^ ]*  //' | while IFS= read -r path; do say differs "$path"; done
fi
say surveyed yes
