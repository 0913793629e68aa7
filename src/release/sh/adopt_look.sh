# Reports what is at a deploy path that is to be adopted, and how names can be exchanged there. Changes nothing.
# Given:
#   root    the deploy path
#   beside  the site that is made if the deploy path is served as it is
LC_ALL=C
export LC_ALL
case $root in '~/'*) root=$HOME/${root#'~/'} ;; esac
case $beside in '~/'*) beside=$HOME/${beside#'~/'} ;; esac
me=$(id -u)
# Where the user has no name, `id -un` prints the number, and fails.
user=$(id -un 2>/dev/null) || user=$me

# Says under key $1 what $2 is: the text of a link, or the owner of a directory.
look() {
  if [ -L "$2" ]; then
    say "$1" "link $(readlink "$2")"
  elif [ -d "$2" ]; then
    owner=$(owner_of "$2")
    if [ "$owner" = "$me" ]; then owner=$user; else owner=$(user_name "$owner"); fi
    say "$1" "directory $owner"
  elif [ -e "$2" ]; then
    say "$1" other
  else
    say "$1" nothing
  fi
}

say root "$root"
say beside "$beside"
say user "$user"
look at_root "$root"
look at_current "$root/current"
look at_beside "$beside"
look at_next "$beside/current"
[ -w "${root%/*}/" ] && say writable yes
for site in "$root" "$beside"; do
  adoption=
  # A release has none. What somebody else may have written says nothing: it names directories to move.
  if [ ! -L "$site" ] && [ ! -L "$site/.runner" ] && [ -f "$site/.runner/adoption" ] && [ ! -L "$site/.runner/adoption" ] &&
    is_ours "$site/" && is_ours "$site/.runner/" && is_ours "$site/.runner/adoption"; then
    { IFS= read -r adoption <"$site/.runner/adoption"; } 2>/dev/null
  fi
  say adoption "$adoption"
done
# Whether something was deployed to the site beside.
for record in "$beside"/.runner/records/*; do
  [ -f "$record" ] && ! grep -q '"adopted":true' "$record" && say deployed yes && break
done
# Whether all can pass the directories above $1.
is_open_way() {
  way=${1%/*}
  while [ "$way" ]; do
    # shellcheck disable=SC2012 # the mode comes first
    case $(ls -ld -- "$way/" 2>/dev/null) in
      ?????????[xt]*) ;;
      *) return 1 ;;
    esac
    way=${way%/*}
  done
}
is_open_way "$root" && ! is_open_way "$beside" && say closed yes
# A web root above the site would show `shared/` and all releases.
way=${beside%/*}
while [ "$way" ]; do
  for index in index.html index.php .htaccess; do
    [ ! -e "$way/$index" ] || [ "$way" = "$root" ] || { say webroot "$way" && break 2; }
  done
  way=${way%/*}
done
# The directory that will be moved.
place=$root/current
[ -d "$place" ] && [ ! -L "$place" ] || place=$root
[ -L "$place" ] || say_links_out outside "$place"
# What other tools have noted of their last releases, and the release that Deployer has not finished.
for log in revisions.log .dep/releases_log; do
  # Not a pipe that never ends.
  [ ! -f "$root/$log" ] || { tail -n 200 "$root/$log" | say_each logged; } 2>/dev/null
done
say unfinished "$(readlink "$root/release" 2>/dev/null)"
# The file systems of what is exchanged, where `stat` can tell.
target=$root/releases
[ -d "$target" ] || target=$root
say device "$(stat -L -c %d -- "$root/current" 2>/dev/null)"
say device "$(stat -L -c %d -- "$target" 2>/dev/null)"
say device "$(stat -L -c %d -- "$root" 2>/dev/null)"
say device "$(stat -L -c %d -- "${beside%/*}/" 2>/dev/null)"
find_exchanger
say exchanger "$exchanger"
say call "$call"
say looked yes
