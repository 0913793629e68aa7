# Reports what the server has, and the state of the site. Changes nothing.
# Given:
#   root          the site
#   shared(path)  shared paths to look for
#   litter        patterns for what an interrupted run leaves
case $root in
  '~/'*) root=$HOME/${root#'~/'} ;;
esac
say root "$root"
me=$(id -u)
# Where the user has no name, `id -un` prints the number, and fails.
user=$(id -un 2>/dev/null) || user=$me
say user "$user"
say uid "$me"
say os "$(uname -s)"
say path "$PATH"
for program in tar flock setsid sha256sum perl python3 setfacl; do
  command -v "$program" >/dev/null 2>&1 && say program "$program"
done
# Without one of these, a script would fail half-way.
for program in awk cat chmod cmp cp cut date df env find grep head id ln ls mkdir mv readlink rm rmdir sed sleep sort touch \
  tr wc xargs; do
  command -v "$program" >/dev/null 2>&1 || say lacks "$program"
done
# A deploy can do without these: it must not fail because one of them is broken.
for program in zstd gzip; do
  "$program" -c </dev/null 2>/dev/null | "$program" -dc >/dev/null 2>&1 && say program "$program"
done
stat -c %a / >/dev/null 2>&1 && say program stat

# The nearest directory that exists shows whether the site can be made, and how much room there is.
there=$root
while [ ! -e "$there" ] && [ ! -L "$there" ]; do
  there=${there%/*}
  [ -n "$there" ] || there=/
done
say nearest "$there"
[ -d "$there" ] && [ -w "$there" ] && [ -x "$there" ] && say writable yes
# shellcheck disable=SC2046 # split on purpose
set -- $(df -Pk -- "$there" 2>/dev/null)
# The name of a file system may have spaces. A file system that does not know its size has no percentage.
while [ $# -gt 1 ]; do
  case $2 in [0-9]*%) say free_kib "$1" && break ;; esac
  shift
done
say inodes "$(stat -f -c '%d %c' -- "$there" 2>/dev/null)"

[ -d "$root" ] || exit 0
cd -- "$root" || exit 0
# Each of these files has one line, and was put into place by a rename.
say_line() {
  line=
  { IFS= read -r line <"$2"; } 2>/dev/null
  say "$1" "$line"
}
[ -s .runner/format ] && say_line format .runner/format &&
  [ -d releases ] && [ -d shared ] && [ -d .runner/records ] && [ -d .runner/manifests ] && say opened yes
for path in .runner/intent.* .runner/reverting.*; do
  case $path in *.new) continue ;; esac
  if [ -s "$path" ]; then
    say intent "${path#.runner/}" && say_line intended "$path"
  elif [ -f "$path" ]; then
    say litter yes
  fi
done
for path in $litter; do
  [ ! -e "$path" ] || { say litter yes && break; }
done
# By number: busybox cuts names off.
# shellcheck disable=SC2012 # these names are ours
ls -ldn . releases shared cache .runner 2>/dev/null | while read -r mode links owner rest; do
  if [ "$owner" = "$me" ]; then owner=$user; else owner=$(id -un "$owner" 2>/dev/null || echo "$owner"); fi
  # Of a link, the name without its target.
  rest=${rest%% -> *}
  say part "$mode $links $owner ${rest##* }"
done
[ ! -f .runner/lock ] || say owner "$(head -n 1 .runner/lock)"
[ -f .runner/cache ] && say_line cache .runner/cache
[ -s .runner/site ] && say_line site .runner/site
[ -f .runner/adoption ] && grep -qs '"kind":"[cd]' .runner/adoption && say moved yes
[ -w .runner ] || [ ! -e .runner ] || say sealed_off .runner
for path in .runner/records/*; do
  [ -f "$path" ] && case $path in
    *.new) ;;
    *) say recorded "${path##*/}" && say_line record "$path" ;;
  esac
done
for path in releases/* releases/.[!.]*; do
  [ -d "$path" ] && say release "${path#releases/}"
done
# Without `current`, the directory may be something else than a site.
if [ ! -L current ]; then
  n=0
  for path in * .[!.]*; do
    [ -e "$path" ] || [ -L "$path" ] || continue
    case $path in
      releases | shared | cache | current | .runner) ;;
      index.* | *.php | *.html | *.htm | .htaccess | .user.ini | web.config | robots.txt | favicon.* | wp-* | artisan | \
        package.json | composer.json | public | public_html | htdocs) say webroot "$path" ;;
      *) [ $((n = n + 1)) -gt 100 ] || say foreign "$path" ;;
    esac
  done
fi
if [ -L current ]; then
  say current "$(readlink current)"
  if target=$(cd current/ 2>/dev/null && pwd -P); then
    say served "$target"
    # A target outside of `releases/` is reported by its whole path, one inside by its name.
    [ "${target%/*}" = "$(cd releases 2>/dev/null && pwd -P)" ] && say live "${target##*/}"
  fi
elif [ -d current ]; then
  say blocked directory
elif [ -e current ]; then
  say blocked file
fi
say_shared() {
  shared_kind "$1"
  say shared "$1"
  say shared_kind "$kind"
  say shared_at "$at"
}
shared say_shared
exit 0
