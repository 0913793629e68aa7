case $root in '~/'*) root=$HOME/${root#'~/'} ;; esac
[ -z "$make" ] || (umask a+rx && mkdir -p -- "$root/.runner") 2>/dev/null
if { [ -f "$root/.runner/format" ] || [ "$make" ]; } && (: >>"$root/.runner/lock") 2>/dev/null; then
  exec 9>>"$root/.runner/lock"
fi
unset root make
