# Removes what a failed run put into `shared/`, unless something was written there since.
# Given:
#   root  the site
#   name  the release that is discarded
unseed() {
  [ "$(head -n 1 .runner/seeded 2>/dev/null)" = "$name" ] || return 0
  sed -n 's/^s//p' .runner/seeded | while IFS= read -r path; do
    decode shared
    (unseed_one "$path") || say kept "$path"
  done
  sed -n 's/^d//p' .runner/seeded | sort -r | while IFS= read -r path; do
    decode shared
    (refuse() { exit 1; } && reach_parent "shared/$path" && rmdir -- "./$item" 2>/dev/null)
  done
  rm -f .runner/seeded
}

unseed_one() {
  # What is not followed stays.
  refuse() { exit 1; }
  reach_parent "shared/$1" && [ -z "$(find "./$item" -newer "$root/.runner/seeded" 2>/dev/null | head -n 1)" ] &&
    drop "./$item"
}
