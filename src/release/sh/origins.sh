# Finds out which releases have a file with the content that a web server sent, which directory of the live release is made
# to be its root, and a file to ask the web server for.
# Given:
#   root    the site
#   holder  empty: it only reads
#   live    the release that should be served
#   other   the release that was served before, or empty
#   page    what was requested below the web root; empty is its index
#   sum     the SHA-256 of the content
#   size    its length in bytes
#   wide    yes if any file of the live release may have this content
enter
hash_of() {
  if command -v sha256sum >/dev/null 2>&1; then
    hashed=$(sha256sum <"$1" 2>/dev/null)
  else
    hashed=$(shasum -a 256 <"$1" 2>/dev/null)
  fi
  printf '%s\n' "${hashed%% *}"
}
is_it() { [ -f "$1" ] && [ "$(($(wc -c <"$1")))" = "$size" ] && [ "$(hash_of "$1")" = "$sum" ]; }

# Runs a command with each directory that may be the web root, until it succeeds.
at_roots() {
  for top in public web pub webroot www docroot htdocs public_html dist build out _site .; do
    "$@" "$top" && return
  done
  return 1
}
has_page() {
  for file in "$page" "${page:+$page/}index.html" "${page:+$page/}index.htm" "$page.html"; do
    is_it "$1/$2/$file" && return
  done
  return 1
}
has_index() {
  for index in index.php index.html index.htm; do
    [ -f "releases/$live/$1/$index" ] && return
  done
  return 1
}

found=
for release in "releases/$live" releases/*; do
  release=${release#releases/}
  [ "$found" ] && [ "$release" = "$live" ] && continue
  if at_roots has_page "releases/$release"; then
    found=yes
    say at "$release"
  fi
done
if [ "$wide" ] && [ -z "$found" ]; then
  find "releases/$live" -type f -size "${size}c" -print 2>/dev/null | while IFS= read -r file; do
    if is_it "$file"; then
      say at "$live"
      break
    fi
  done
fi

if at_roots has_index; then
  say web_root "$top"
  # The first such file that differs from that of the release before, else the first one.
  chosen=
  differs=
  for file in $(cd "releases/$live/$top" && find . -type f -size -2000 \( -name '*.txt' -o -name '*.css' -o -name '*.js' -o \
    -name '*.html' -o -name '*.svg' -o -name '*.png' -o -name '*.ico' -o -name '*.jpg' -o -name '*.webmanifest' \) 2>/dev/null |
    sed 's|^\./||' | sort | head -n 300); do
    case /$file in */.* | */node_modules/* | */vendor/* | *[!A-Za-z0-9./_-]*) continue ;; esac
    [ "$chosen" ] || chosen=$file
    if [ "$other" ] && ! cmp -s "releases/$live/$top/$file" "releases/$other/$top/$file"; then
      chosen=$file
      differs=yes
      break
    fi
  done
  if [ "$chosen" ]; then
    say file "$chosen"
    say file_sum "$(hash_of "releases/$live/$top/$chosen")"
    [ -z "$differs" ] || say differs yes
    [ -z "$other" ] || [ ! -f "releases/$other/$top/$chosen" ] || say other_sum "$(hash_of "releases/$other/$top/$chosen")"
  fi
fi
say listed yes
