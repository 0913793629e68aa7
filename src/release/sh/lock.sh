# Takes the lock of the site for this run, or reports who holds it. The probe of the site follows.
# Given:
#   root            the site
#   make            yes if missing directories are created
#   holder, host    the run that requests the lock, and its name for this host
#   claim           its record as owner, without the closing brace
#   again           yes if it had the lock on a connection that was lost
#   patience        how long to wait for an interrupted run to end, in tenths of a second
#   format          only to make: the number of the layout
#   adopt, adopted  only to make: a release to adopt and its record, or nothing
#   entry           only to make: the line for the history, or nothing
#   identity        the application that the site is to belong to, or nothing
#   renames         yes if it replaces the application that the site belongs to
take() {
  cd -- "$root" || refuse "cannot enter \`$root\`"
  # The probe that follows says whose it is.
  (close_site) || return 1
  boot=$(boot_id)
  parent=
  [ ! -r /proc/self/stat ] || stat_of "$PPID"
  mine="$claim,\"pid\":$PPID,\"started\":\"$(started "$PPID")\",\"parent\":\"$parent\",\"boot\":\"$boot\"}"
  tenths=$patience
  until try; do
    read_holder
    ending=
    case $owner in
      # The run that took it has not written its record yet.
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
  # A run that has held the lock since, and released it or died, may have changed anything here.
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

# What others could change in a site of the first versions, or where the umask let them, they can change no more. What
# belongs to another login stays as it is.
tighten() {
  for part in . releases shared cache; do
    # What a link leads to is up to whoever made it.
    [ -L "$part" ] || chmod go-w "$part" 2>/dev/null
  done
  close_records
}

# Sites of the first versions do not say what they belong to: they belong to the first run that says it.
identify() {
  [ "$identity" ] || return 0
  [ -s .runner/site ] && [ -z "$renames" ] || put .runner/site "$identity" || refuse "cannot write to \`$root/.runner\`"
}

case $root in
  '~/'*) root=$HOME/${root#'~/'} ;;
esac
LC_ALL=C
export LC_ALL
if [ "$make" ]; then
  umask 022
  mkdir -p -- "$root" || refuse "cannot create \`$root\`"
  mkdir -p -- "$root/releases" "$root/shared" &&
    (umask 077 && mkdir -p -- "$root/.runner/records" "$root/.runner/manifests") ||
    refuse "cannot write to \`$root\`"
  take && {
    tighten
    [ -s .runner/format ] || put .runner/format "$format" || refuse "cannot write to \`$root/.runner\`"
    [ -z "$adopt" ] || [ -f ".runner/records/$adopt" ] || {
      record "$adopt" "$adopted" && note "$entry" || refuse "cannot write to \`$root/.runner\`"
    }
    identify
  }
elif [ -f "$root/.runner/format" ] && [ -w "$root/.runner" ]; then
  take && tighten && identify
fi
