# What the persistent shell does before the lock is asked for: it opens descriptor 9 on the lock's file, and whatever holds
# that open holds the lock. A redirection of `exec` that fails ends the shell, so it is tried in another one first.
# Given:
#   root  the site
#   make  yes if its directories are made where they are missing
case $root in '~/'*) root=$HOME/${root#'~/'} ;; esac
[ -z "$make" ] || (umask a+rx && mkdir -p -- "$root/.runner") 2>/dev/null
if { [ -f "$root/.runner/format" ] || [ "$make" ]; } && (: >>"$root/.runner/lock") 2>/dev/null; then
  exec 9>>"$root/.runner/lock"
fi
unset root make
