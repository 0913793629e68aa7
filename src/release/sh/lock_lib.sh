# Who holds the lock, and what still writes. POSIX sh. Without /proc, it uses `ps`, which knows less.
# Given: nothing

# Prints the start time of process $1, in this machine's own format; nothing if the process is gone.
started() {
  if [ -r /proc/self/stat ]; then
    stat_of "$1" && echo "$start"
  else
    ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' _
  fi
}

# Sets `$parent` and `$start` of process $1, from /proc. After the name, which may contain anything, come the state, the
# parent and, as the 20th field, the start time (proc(5)). A zombie counts as gone.
stat_of() {
  { IFS= read -r stat <"/proc/$1/stat"; } 2>/dev/null || return
  stat=${stat##*) }
  case $stat in Z*|X*) return 1 ;; esac
  # shellcheck disable=SC2086 # split on purpose
  set -- $stat
  parent=$2
  shift 19
  start=$1
}

boot_id() {
  { IFS= read -r id </proc/sys/kernel/random/boot_id; } 2>/dev/null && echo "$id" ||
    sysctl -n kern.boottime 2>/dev/null | tr -d '",'
}

# Sets `$value` to field $1 of an owner's record $2: to the last field of that name, since this machine adds its own at
# the end.
owners() {
  value=
  case $2 in
    *"\"$1\":"*) value=${2##*"\"$1\":"} ;;
  esac
  case $value in
    \"*) value=${value#\"} && value=${value%%\"*} ;;
    *) value=${value%%[,\}]*} ;;
  esac
}

# Reads the record with one `head`: a shell reads byte by byte, and the record may be written meanwhile.
read_owner() {
  pid=
  owner=$(head -n 1 "$1" 2>/dev/null)
  owner=${owner%"${owner##*[! ]}"}
}

# Reads the record of whoever holds the lock.
read_holder() { if has_flock; then read_owner .runner/lock; else read_owner .runner/lock.owner; fi; }

# Whether the shell of record $1 is still running. Sets `$pid` to its process.
is_alive() {
  owners pid "$1" && pid=$value
  owners started "$1"
  [ "$pid" ] && [ "$(started "$pid")" = "$value" ] || return
  owners boot "$1"
  [ "$value" = "$boot" ]
}

# Whether the process that started it has ended: then it has another parent now.
is_orphan() {
  owners parent "$1"
  [ "$value" ] && stat_of "$pid" && [ "$parent" != "$value" ]
}

# Whether its client has sent no heartbeat for minutes, and it has no child processes.
is_forsaken() {
  [ "$(find .runner/lock -mmin +2 2>/dev/null)" ] && [ -r /proc/self/stat ] || return
  for there in /proc/[0-9]*; do
    ! stat_of "${there#/proc/}" || [ "$parent" != "$pid" ] || return
  done
}

# Sets `$holding` to the other processes that hold the lock by descriptor 9. Processes that wait for it do not count:
# they have opened the file for themselves. Empty without /proc. Do not call it in a subshell, which would be one of
# those processes.
find_holding() {
  holding=
  for there in /proc/[0-9]*; do
    there=${there#/proc/}
    [ "$there" = "$$" ] || [ "$there" = "$PPID" ] || ! [ "/proc/$there/fd/9" -ef .runner/lock ] && continue
    ! command -v flock >/dev/null || grep -q '^lock:' "/proc/$there/fdinfo/9" || continue
    holding="$holding $there"
  done 2>/dev/null
}

# Ends `$pid`, and the processes in `$holding` with all of their sessions. Not the session of `$pid`, which may have
# other processes.
end_holders() {
  ends=${pid:+p$pid}
  for one in $holding; do
    [ "$one" = "$pid" ] || ends="$ends p$one s$one"
  done
  end_all "$ends"
}

# Ends the processes that have a busy file, and what they started.
end_writers() {
  ends=
  for busy in .runner/busy.*; do
    [ -e "$busy" ] || continue
    read_busy
    [ "$(started "$writer")" != "$began" ] || ends="$ends p$writer"
    ends="$ends ${writers:+g$writers}"
  done
  end_all "$ends"
}

# Ends the processes `p1 p2` and all processes of groups `g1 g2` and sessions `s1 s2`, but not `$self`. Stops all of
# them first: when one ends, the input of another may end, and that one would take its part for the whole.
end_all() {
  for signal in STOP KILL; do
    # shellcheck disable=SC2046 # split on purpose
    kill -"$signal" $(choose " $1 ") 2>/dev/null
  done
  return 0
}
choose() {
  for one in $1; do
    case $one in p*) echo "${one#p}" ;; esac
  done
  chosen=$1
  for there in /proc/[0-9]*; do
    there=${there#/proc/}
    [ "$there" != "$self" ] && { IFS= read -r stat <"/proc/$there/stat"; } 2>/dev/null || continue
    stat=${stat##*) }
    # shellcheck disable=SC2086 # split on purpose
    set -- $stat
    case $chosen in *" g$3 "* | *" s$4 "*) echo "$there" ;; esac
  done
}

# Sets `$group` to the process group of process $1.
group_of() {
  { IFS= read -r stat <"/proc/$1/stat"; } 2>/dev/null || return
  stat=${stat##*) }
  case $stat in Z*|X*) return 1 ;; esac
  # shellcheck disable=SC2086 # split on purpose
  set -- $stat
  group=$3
}

pause() { sleep 0.1 2>/dev/null || sleep 1; }

# `command` stands before `:` because a failing redirection of a bare `:` would end the shell (POSIX XCU 2.8.1).
has_flock() { { command : >&9; } 2>/dev/null && command -v flock >/dev/null 2>&1; }

# Takes the lock if nobody holds it: with `flock` where possible, else with a record that `ln` puts into place whole.
# Only the holder of a second lock, named after the record and its dead owner, may replace the record of a dead owner.
try() {
  if has_flock; then
    flock -n 9
    return
  fi
  # Without a file of its own it could wait for ever for a lock that nobody holds.
  [ -f ".runner/mine.$$" ] || why=$({ printf '%s\n' "$mine" >".runner/mine.$$"; } 2>&1) ||
    refuse "cannot write to \`.runner\`${why:+: ${why##*: }}"
  claim .runner/lock.owner
  tried=$?
  rm -f ".runner/mine.$$"
  return "$tried"
}

claim() {
  ln ".runner/mine.$$" "$1" 2>/dev/null && return
  # If it was freed meanwhile, the next try gets it. A file that is no record belongs to nobody.
  [ -e "$1" ] || return
  read_owner "$1"
  [ "$owner" != "$mine" ] || return 0
  ! is_alive "$owner" || return
  owners run "$owner"
  # `claim` is recursive and has no local variables: the recursive call changes `$owner`, `$value` and `$pid`,
  # so they are set again before each use.
  set -- "$1" "$1.$value.$pid" "$owner"
  claim "$2" || return
  read_owner "$1"
  if [ "$owner" = "$3" ]; then mv -f ".runner/mine.$$" "$1"; else false; fi
  won=$?
  rm -f "$2"
  return "$won"
}

# Overwrites the record in place, at a fixed length. A rename would leave the lock on a file that is no longer there,
# and a file that has its space already needs none on a full disk.
write_owner() { printf '%-1023s\n' "$1" 1<>.runner/lock; }

# A script that runs outside of the shell that holds the lock makes a busy file first, then checks that its run still
# has the lock. A run that takes the lock waits for those files before it cleans up.
begin_busy() {
  # The process of this very shell, which `$$` may not be.
  busy=$(exec sh -c 'echo $PPID')
  group_of "$busy" && group=.$group.$(boot_id) || group=
  busy=.runner/busy.$busy.$(started "$busy")$group
  command : >"$busy" || refuse 'cannot write to `.runner`'
}
end_busy() { rm -f "$busy"; }

# Reads the name of the busy file `$busy`: `$writer` is its process, `$began` the start of that, `$writers` its process
# group.
read_busy() {
  rest=${busy#.runner/busy.}
  writer=${rest%%.*}
  rest=${rest#*.}
  began=${rest%%.*}
  case $rest in *.*) rest=${rest#*.} ;; *) rest= ;; esac
  writers=${rest%%.*}
  booted=${rest#*.}
  [ -z "$writers" ] || is_the_group || writers=
}

# Waits up to $1 tenths of a second until nothing is busy. Fails if something still is: then `$writer`, `$began` and
# `$writers` are those of `read_busy`.
await_idle() {
  tenths=$1
  for busy in .runner/busy.*; do
    [ -e "$busy" ] || continue
    read_busy
    while [ -e "$busy" ] && { [ "$(started "$writer")" = "$began" ] || is_at_work; }; do
      [ "$tenths" -gt 0 ] || return
      tenths=$((tenths - 1))
      pause
    done
    rm -f "$busy"
  done
}

# Whether `$writers` can still be the group of the writer, and is not ours: dropbear has all channels of a connection in
# one group. The number of a group is reused only when all of its processes are gone; then the new leader is younger
# than the writer.
is_the_group() {
  [ "$booted" = "$(boot_id)" ] || return
  for one in "$$" "$PPID"; do
    ! group_of "$one" || [ "$group" != "$writers" ] || return
  done
  ! stat_of "$writers" || [ "$start" -le "$began" ]
}

# Whether a process of `$writers` is still running: what the writer started may outlive it.
is_at_work() {
  [ "$writers" ] || return
  for there in /proc/[0-9]*; do
    ! group_of "${there#/proc/}" || [ "$group" != "$writers" ] || return 0
  done
  return 1
}

# Releases the lock, even if other processes still have the descriptor: `flock -u` unlocks the open file for all of
# them.
free() {
  write_owner ''
  if has_flock; then
    flock -u 9
  else
    rm -f .runner/lock.owner
  fi
}
