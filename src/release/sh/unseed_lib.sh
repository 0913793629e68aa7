# Removes what a failed run put into `shared/`, unless something was written there since.
# Given:
#   root  the site
#   name  the release that is discarded
unseed() {
  [ "$(head -n 1 .runner/seeded 2>/dev/null)" = "$name" ] || return 0
  sed -n 's/^s//p' .runner/seeded | while IFS= read -r path; do
    decode shared
    # What is not followed stays.
    (refuse() { exit 3; } && unseed_one "$path")
    case $? in
      0) ;;
      3) say strange "$path" ;;
      *) say kept "$path" ;;
    esac
  done
  sed -n 's/^d//p' .runner/seeded | sort -r | while IFS= read -r path; do
    decode shared
    (refuse() { exit 1; } && reach_parent "shared/$path" && rmdir -- "./$item" 2>/dev/null)
  done
  rm -f .runner/seeded
}

unseed_one() {
  reach_parent "shared/$1" && [ -z "$(find "./$item" -newer "$root/.runner/seeded" 2>/dev/null | head -n 1)" ] &&
    drop "./$item"
}
