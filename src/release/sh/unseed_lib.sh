# Removes what a failed run put into `shared/`, unless something was written there since.
# Given:
#   name  the release that is discarded
unseed() {
  [ "$(head -n 1 .runner/seeded 2>/dev/null)" = "$name" ] || return 0
  sed -n 's/^s//p' .runner/seeded | while IFS= read -r path; do
    decode shared
    if [ -z "$(find "shared/$path" -newer .runner/seeded 2>/dev/null | head -n 1)" ]; then
      drop "shared/$path"
    else
      say kept "$path"
    fi
  done
  sed -n 's/^d//p' .runner/seeded | sort -r | while IFS= read -r path; do
    decode shared
    rmdir -- "shared/$path" 2>/dev/null
  done
  rm -f .runner/seeded
}
