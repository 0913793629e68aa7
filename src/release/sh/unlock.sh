# Ends whoever holds the lock, with all that it runs here. What it left is put right by the next run.
case $root in
  '~/'*) root=$HOME/${root#'~/'} ;;
esac
[ -f "$root/.runner/format" ] || { say unlocked yes; exit 0; }
cd -- "$root" || refuse "cannot enter \`$root\`"
LC_ALL=C
export LC_ALL
boot=$(boot_id)
read_owner .runner/lock
mine=
if has_flock; then
  flock -n 9 || {
    pid=
    ! is_alive "$owner" || [ "$pid" = "$PPID" ] || end_all "$pid" || :
    # shellcheck disable=SC2046 # split on purpose
    end_all $(holders)
    say ended "$owner"
    tenths=50
    until flock -n 9; do
      [ "$tenths" -gt 0 ] || refuse 'the lock is still held, by what may not be ended'
      tenths=$((tenths - 1))
      pause
    done
  }
  write_owner ''
  flock -u 9
else
  read_owner .runner/lock.owner
  pid=
  if [ "$owner" ] && is_alive "$owner"; then
    end_all "$pid"
    say ended "$owner"
  fi
  rm -f .runner/lock.owner
  write_owner ''
fi
say unlocked yes
