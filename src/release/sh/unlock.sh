# Ends the run that holds the lock, with all of its processes here. The next run cleans up what it left.
# Given:
#   root  the site
case $root in
  '~/'*) root=$HOME/${root#'~/'} ;;
esac
[ -f "$root/.runner/format" ] || { say unlocked yes; exit 0; }
cd -- "$root" || refuse "cannot enter \`$root\`"
LC_ALL=C
export LC_ALL
boot=$(boot_id)
read_holder
find_holding
if [ "$holding" ] || { [ "$owner" ] && is_alive "$owner"; }; then
  # The owner may be gone, and its process number reused.
  is_alive "$owner" || pid=
  [ "$pid" != "$PPID" ] || pid=
  end_holders
  say ended "$owner"
fi
if has_flock; then
  tenths=50
  until flock -n 9; do
    [ "$tenths" -gt 0 ] || refuse 'the lock is still held by a process that could not be ended'
    tenths=$((tenths - 1))
    pause
  done
fi
free
say unlocked yes
