# Who holds the lock, and what still writes. POSIX sh; where there is no /proc, `ps` answers less.
# Given: nothing

# When process $1 was started, as this machine tells it; nothing when it is gone.
started() {
  if [ -r /proc/self/stat ]; then
    stat_of "$1" && echo "$start"
  else
    ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' _
  fi
}

# Sets `$parent` and `$start` of process $1, from /proc: behind the name, which may hold anything, are the state, the
# parent, and as the 20th the start (proc(5)). What only waits to be reaped is gone.
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

# Sets `$value` to field $1 of an owner's record, $2; the last of that name, since those behind it are this machine's.
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

# In one piece: a shell reads byte by byte, and the record may be written meanwhile.
read_owner() {
  pid=
  owner=$(head -n 1 "$1" 2>/dev/null)
  owner=${owner%"${owner##*[! ]}"}
}

# Whoever holds it, as far as it is said.
read_holder() { if has_flock; then read_owner .runner/lock; else read_owner .runner/lock.owner; fi; }

# Whether the shell that the record $1 speaks of is there. `$pid` is its process.
is_alive() {
  owners pid "$1" && pid=$value
  owners started "$1"
  [ "$pid" ] && [ "$(started "$pid")" = "$value" ] || return
  owners boot "$1"
  [ "$value" = "$boot" ]
}

# Whether whoever it obeyed is gone: it has another parent now.
is_orphan() {
  owners parent "$1"
  [ "$value" ] && stat_of "$pid" && [ "$parent" != "$value" ]
}

# Whether its client gave no sign of life for minutes, and nothing runs in it.
is_forsaken() {
  [ "$(find .runner/lock -mmin +2 2>/dev/null)" ] && [ -r /proc/self/stat ] || return
  for there in /proc/[0-9]*; do
    ! stat_of "${there#/proc/}" || [ "$parent" != "$pid" ] || return
  done
}

# Sets `$holding` to the processes that hold the lock by descriptor 9, but for us; not those that wait for it, which have
# opened the file anew. Nothing where there is no /proc. Not in a subshell: that would be one of them.
find_holding() {
  holding=
  for there in /proc/[0-9]*; do
    there=${there#/proc/}
    [ "$there" = "$$" ] || [ "$there" = "$PPID" ] || ! [ "/proc/$there/fd/9" -ef .runner/lock ] && continue
    ! command -v flock >/dev/null || grep -q '^lock:' "/proc/$there/fdinfo/9" || continue
    holding="$holding $there"
  done 2>/dev/null
}

# Ends `$pid`, and `$holding` with all that is in their sessions; `$pid`'s own session may be anybody's.
end_holders() {
  ends=${pid:+p$pid}
  for one in $holding; do
    [ "$one" = "$pid" ] || ends="$ends p$one s$one"
  done
  end_all "$ends"
}

# Ends all that says it is busy, and what that started.
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

# Ends the processes `p1 p2`, those of the process groups `g1 g2` and of the sessions `s1 s2`; but not `$self`. Stopped
# before they are ended: the end of one is the end of another's input, which would be taken for the whole.
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

# `command`, and no bare `:` before a redirection: one that fails would end the shell (POSIX XCU 2.8.1).
has_flock() { { command : >&9; } 2>/dev/null && command -v flock >/dev/null 2>&1; }

# Takes the lock, if nobody holds it. By the kernel where it can be; else by a record that is linked into place whole,
# `$1`. One whose owner is dead is replaced by who holds the lock on that: its name is the record's and the dead one's.
try() {
  if has_flock; then
    flock -n 9
    return
  fi
  [ -f ".runner/mine.$$" ] || printf '%s\n' "$mine" >".runner/mine.$$" || return
  claim .runner/lock.owner
  tried=$?
  rm -f ".runner/mine.$$"
  return "$tried"
}

claim() {
  ln ".runner/mine.$$" "$1" 2>/dev/null && return
  # Freed meanwhile: the next try has it. One that is not even a record is nobody's.
  [ -e "$1" ] || return
  read_owner "$1"
  [ "$owner" != "$mine" ] || return 0
  ! is_alive "$owner" || return
  owners run "$owner"
  # Another path each time it recurs, so a name is set anew before each use.
  set -- "$1" "$1.$value.$pid" "$owner"
  claim "$2" || return
  read_owner "$1"
  if [ "$owner" = "$3" ]; then mv -f ".runner/mine.$$" "$1"; else false; fi
  won=$?
  rm -f "$2"
  return "$won"
}

# The record is overwritten where it stands, at a fixed length: a rename would leave the lock on a file that nobody sees,
# and what has its room already needs none of a full disk.
write_owner() { printf '%-1023s\n' "$1" 1<>.runner/lock; }

# Who works outside of the shell that holds the lock says so by a file, then looks whether the lock is still its run's.
# Who has taken the lock waits for those files before anything is put right.
begin_busy() {
  # Of this very shell, which `$$` need not be.
  busy=$(exec sh -c 'echo $PPID')
  group_of "$busy" && group=.$group.$(boot_id) || group=
  busy=.runner/busy.$busy.$(started "$busy")$group
  command : >"$busy" || refuse 'cannot write to `.runner`'
}
end_busy() { rm -f "$busy"; }

# Of the file `$busy`: `$writer` is the process that said so, since `$began`, and `$writers` its process group.
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

# Waits for all that is busy, for so many tenths of a second. Fails if something goes on: then `$writer` is the process
# that said so, since `$began`, and `$writers` its process group.
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

# Whether `$writers` can still be the writer's, and not ours: a dropbear has all channels of a connection in one group.
# Its number is free for others only once all of it are gone, and then their first is younger than the writer.
is_the_group() {
  [ "$booted" = "$(boot_id)" ] || return
  for one in "$$" "$PPID"; do
    ! group_of "$one" || [ "$group" != "$writers" ] || return
  done
  ! stat_of "$writers" || [ "$start" -le "$began" ]
}

# Whether one of `$writers` is there: what the writer started may outlive it.
is_at_work() {
  [ "$writers" ] || return
  for there in /proc/[0-9]*; do
    ! group_of "${there#/proc/}" || [ "$group" != "$writers" ] || return 0
  done
  return 1
}

# Lets the lock go, whatever processes still have the descriptor: `flock -u` is of the open file, not of one of them.
free() {
  write_owner ''
  if has_flock; then
    flock -u 9
  else
    rm -f .runner/lock.owner
  fi
}
