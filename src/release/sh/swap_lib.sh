# A swap is armed before it is made: the intent `.runner/intent.ROLLOUT` says what is about to happen, and a watch swaps
# back if no heartbeat comes for `$within` seconds. Whoever first removes or renames the intent decides: to confirm is to
# remove it, to swap back is to rename it to `reverting.ROLLOUT` first. Each is one system call, so only one of all who
# try succeeds.
# Given:
#   root                     the site
#   rollout                  the rollout that the swap belongs to
#   name                     the release that is swapped to
#   from, to                 the texts of `current` before and after the swap
#   dangled                  yes if `from` points to nothing
#   durable                  yes if the file system must be synced
#   back(name record)        the records after a swap back
#   environment(name value)  environment variables for `revert_command`
#   revert_command           runs after the server has swapped back by itself
#   watch                    to end and to swap back: the watch over the swap, or nothing
#   linked(path link)        to arm: links into `shared/` that must be there
#   named                    to arm: yes if a run may go to a release that is marked as bad
#   guarded                  to arm: yes if files that releases share are guarded
#   text                     to arm: the intent
#   within                   to arm: seconds that the unconfirmed swap may go without a heartbeat
intent=.runner/intent.$rollout
reverting=.runner/reverting.$rollout
seen=.runner/seen.$rollout

leads_to() { [ "$(readlink current)" = "$1" ]; }

# Checks that the release can go live: it is complete, its links are in place, and `current` is as this run saw it.
check() {
  leads_to "$from" || refuse '`current` has changed since this run read it'
  [ -d "$to" ] || refuse "\`$to\` no longer exists"
  [ -w . ] && [ -w .runner ] || refuse "user \`$(id -u)\` can no longer write to \`$root\`"
  case $(cat ".runner/records/$name") in
    *'"state":"complete"'*) ;;
    # A release that is marked as bad can only be named on purpose.
    *'"state":"bad"'*) [ "$named" ] || refuse "release \`$name\` is not recorded as complete" ;;
    *) refuse "release \`$name\` is not recorded as complete" ;;
  esac
  linked linked_one
  [ -z "$guarded" ] || guard "$to" || { say_guarded; exit 1; }
}
linked_one() { [ "$(readlink "$to/$1")" = "$2" ] || refuse "\`$1\` is no longer the link into \`shared/\`"; }

arm() {
  check
  put "$intent" "$text" && command : >"$seen" || refuse 'cannot write to `.runner`'
  (keep_watch) </dev/null >/dev/null 2>&1 9>&- &
  watch=$!
  watch=$watch.$(started "$watch")
  printf '%s\n' "$watch" >"$seen" && command : >".runner/busy.$watch" || {
    rm -f "$intent"
    refuse 'cannot write to `.runner`'
  }
  say watch "$watch"
}

keep_watch() {
  trap '' HUP INT
  trap 'kill "$!"; leave' TERM
  # The process of this very shell, which `$$` is not.
  self=$(exec sh -c 'echo $PPID')
  left=$within
  while [ "$left" -gt 0 ]; do
    sleep 1 &
    wait "$!"
    [ -f "$intent" ] || [ -f "$reverting" ] || leave
    # The lock's file is older if the clock was set back.
    if is_held && { [ .runner/lock -nt "$seen" ] || [ .runner/lock -ot "$seen" ]; }; then
      touch -r .runner/lock "$seen"
      left=$within
    else
      left=$((left - 1))
    fi
  done
  trap '' TERM
  # If `reverting` exists, another process began to swap back, and may have died.
  mv "$intent" "$reverting" || [ -f "$reverting" ] || leave
  end_steps
  note "$(date -u +%Y-%m-%dT%H:%M:%SZ) revert $name watch"
  go_back && rm -f "$reverting"
  leave
}

# Ends what is still running of the step that made the swap, and other steps of this run, which hold its lock: they
# would go on as if the swap stood. But not the shell that waits for the next step.
end_steps() {
  end_all "s$$"
  is_held || return 0
  find_holding
  owners pid "$held"
  pid=
  others=
  for one in $holding; do
    [ "$one" = "$value" ] || others="$others $one"
  done
  holding=$others
  end_holders
}

leave() {
  rm -f "$seen" ".runner/busy.$self".*
  exit
}

# Undoes as much of the swap as was made.
go_back() {
  # An interrupted step may have changed `current` and nothing more.
  leads_to "$to" || { back record; return; }
  lead_back && back record || return
  [ -z "$durable" ] || sync
  [ -z "$revert_command" ] || (
    environment export_one
    [ ! -d current/ ] || cd -- current/ || exit
    eval "set --; $revert_command"
  )
  return 0
}
export_one() { export "$1=$2"; }

# Does not replace a release that works by a link to nothing, unless `current` pointed to nothing before.
lead_back() {
  case $from in
    '') rm -f current ;;
    *) { [ -d "$from" ] || [ "$dangled" ]; } && point "$from" ;;
  esac
}

# A watch that is swapping back already ignores this.
stop_watch() {
  # The answer that named it may have been lost.
  [ "$watch" ] || { IFS= read -r watch <"$seen"; } 2>/dev/null || :
  [ -z "$watch" ] || [ "$(started "${watch%%.*}")" != "${watch#*.}" ] || kill "${watch%%.*}" 2>/dev/null
}

stand_down() {
  stop_watch
  rm -f "$seen" "${watch:+.runner/busy.$watch}"
}

# Fails if the server has swapped back by itself. Succeeds if the swap is confirmed already: the first answer may have
# been lost.
confirm() {
  [ -e "$intent" ] && rm "$intent" || {
    [ ! -e "$intent" ] || refuse 'failed to confirm the swap'
    # In this order: during a swap back, that file exists until `current` points back.
    [ ! -e "$reverting" ] && leads_to "$to" || return
  }
  stand_down
  # busybox's `rm -f` fails if a file disappears meanwhile, and the watch removes the same files when it ends.
  return 0
}
