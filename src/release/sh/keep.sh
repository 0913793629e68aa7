# Runs in the persistent shell before it requests the lock: opens descriptor 9 on the lock's file. The lock is held as
# long as any process keeps that open. If a redirection of `exec` fails, the shell ends, so a subshell tries it first.
# Given:
#   root  the site
#   make  yes if missing directories are created
case $root in '~/'*) root=$HOME/${root#'~/'} ;; esac
[ -z "$make" ] || (umask 022 && mkdir -p -- "$root" && umask 077 && mkdir -p -- "$root/.runner") 2>/dev/null
if { [ -f "$root/.runner/format" ] || [ "$make" ]; } && (: >>"$root/.runner/lock") 2>/dev/null; then
  exec 9>>"$root/.runner/lock"
fi
unset root make
