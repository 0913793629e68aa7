# Takes the lock of the site for this run, or says who holds it; then what stands in the site is read. `$again`: this run
# had the lock on a connection that was lost.
# Given:
#   root            the site
#   make            yes if its directories are made where they are missing
#   holder, host    the run that asks, and the name of this host in it
#   claim           its record as an owner, without the closing brace
#   again           yes if it had the lock on a connection that was lost
#   patience        tenths of a second that it waits for a dead run to end
#   format          only to make: the number of the layout
#   adopt, adopted  only to make: a release to adopt and its record, or nothing
#   entry           only to make: the line for the history, or nothing
take() {
  cd -- "$root" || refuse "cannot enter \`$root\`"
  boot=$(boot_id)
  parent=
  [ ! -r /proc/self/stat ] || stat_of "$PPID"
  mine="$claim,\"pid\":$PPID,\"started\":\"$(started "$PPID")\",\"parent\":\"$parent\",\"boot\":\"$boot\"}"
  tenths=$patience
  until try; do
    read_holder
    ending=
    case $owner in
      # Whoever has taken it did not say so yet.
      '') ending=yes ;;
      *"\"run\":\"$holder\""*)
        owners host "$owner"
        [ "$again" ] && [ "$value" = "$host" ] || { say same "$value"; exit 0; }
        is_alive "$owner" && [ "$pid" != "$PPID" ] || pid=
        find_holding
        end_holders
        ending=yes
        ;;
      *)
        if ! is_alive "$owner" || is_orphan "$owner"; then
          ending=yes
        elif is_forsaken; then
          kill -KILL "$pid" 2>/dev/null
          ending=yes
        fi
        ;;
    esac
    [ "$ending" ] && [ "$tenths" -gt 0 ] || {
      say held "$owner"
      find_holding
      [ -z "$ending" ] || say ending "${holding# }"
      return 1
    }
    tenths=$((tenths - 1))
    pause
  done
  # Whoever took it meanwhile, and let it go or died, may have done anything here.
  [ -z "$again" ] || {
    read_owner .runner/lock
    case $owner in
      *"\"run\":\"$holder\""*) ;;
      *) free && refuse 'this run lost the lock with its connection, and another run has held it since' ;;
    esac
  }
  write_owner "$mine" || refuse "cannot write to \`$root/.runner\`"
  say taken yes
}

case $root in
  '~/'*) root=$HOME/${root#'~/'} ;;
esac
LC_ALL=C
export LC_ALL
if [ "$make" ]; then
  umask a+rx
  mkdir -p -- "$root" || refuse "cannot create \`$root\`"
  mkdir -p -- "$root/releases" "$root/shared" "$root/.runner/records" "$root/.runner/manifests" ||
    refuse "cannot write to \`$root\`"
  take && {
    [ -s .runner/format ] || put .runner/format "$format" || refuse "cannot write to \`$root/.runner\`"
    [ -z "$adopt" ] || [ -f ".runner/records/$adopt" ] || {
      record "$adopt" "$adopted" && note "$entry" || refuse "cannot write to \`$root/.runner\`"
    }
  }
elif [ -f "$root/.runner/format" ] && [ -w "$root/.runner" ]; then
  take
fi
