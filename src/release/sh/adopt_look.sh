# Reports what is at a deploy path that is to be adopted, and how names can be exchanged there. Changes nothing.
# Given:
#   root    the deploy path
#   beside  the site that is made if the deploy path is served as it is
LC_ALL=C
export LC_ALL
case $root in '~/'*) root=$HOME/${root#'~/'} ;; esac
case $beside in '~/'*) beside=$HOME/${beside#'~/'} ;; esac
me=$(id -u)
user=$(id -un 2>/dev/null || echo "$me")

# Says under key $1 what $2 is: the text of a link, or the owner of a directory.
look() {
  if [ -L "$2" ]; then
    say "$1" "link $(readlink "$2")"
  elif [ -d "$2" ]; then
    # shellcheck disable=SC2012 # the owner comes before the name
    owner=$(ls -ldn -- "$2" | { read -r mode links owner rest; echo "$owner"; })
    if [ "$owner" = "$me" ]; then owner=$user; else owner=$(id -un "$owner" 2>/dev/null || echo "$owner"); fi
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
  # A release has none.
  [ ! -L "$site" ] && { IFS= read -r adoption <"$site/.runner/adoption"; } 2>/dev/null
  say adoption "$adoption"
done
# What other tools have noted of their last releases, and the release that Deployer has not finished.
for log in revisions.log .dep/releases_log; do
  { tail -n 200 "$root/$log" | say_each logged; } 2>/dev/null
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
