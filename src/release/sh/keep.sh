# Runs in the persistent shell before it requests the lock: opens descriptor 9 on the lock's file. The lock is held as
# long as any process keeps that open. If a redirection of `exec` fails, the shell ends, so a subshell tries it first.
# Given:
#   root  the site
#   make  yes if missing directories are created
# Nothing is opened that somebody else may have put there, in a site of the first versions or one that is none yet.
case $root in '~/'*) root=$HOME/${root#'~/'} ;; esac
[ -z "$make" ] || (umask 022 && mkdir -p -- "$root" && umask 077 && mkdir -p -- "$root/.runner") 2>/dev/null
if { [ -f "$root/.runner/format" ] || [ "$make" ]; } && (close_site) && (: >>"$root/.runner/lock") 2>/dev/null; then
  exec 9>>"$root/.runner/lock"
fi
unset -f is_ours where close_site
unset root make uid
