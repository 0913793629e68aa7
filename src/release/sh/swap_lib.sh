# A swap is armed before it is made: `.runner/intent.ROLLOUT` says what is about to happen, and a watch takes the swap back
# if no sign of life comes for `$within` seconds. Whoever removes or renames that file has decided: to confirm is to remove
# it, to take back is to rename it to `reverting.ROLLOUT` first. Each is one call, so only one of all who try succeeds.
# Given:
#   root                     the site
#   rollout                  the swaps that this one is made with: of the run, by number
#   name                     the release that is swapped to
#   from, to                 the texts of `current` before and after the swap
#   dangled                  yes if `from` leads to nothing
#   durable                  yes if the file system is to be synced
#   back(name record)        the records after the swap is taken back
#   environment(name value)  what `revert_command` sees
#   revert_command           runs after the server took the swap back by itself
#   watch                    to end and to take back: the watch over the swap, or nothing
#   linked(path link)        to arm: links into `shared/` that must be there
#   guarded                  to arm: yes if files that releases share are guarded
#   text                     to arm: the intent
#   within                   to arm: seconds that the swap may go unconfirmed without a sign of life
intent=.runner/intent.$rollout
reverting=.runner/reverting.$rollout
seen=.runner/seen.$rollout

leads_to() { [ "$(readlink current)" = "$1" ]; }

# Where the release stands that is about to be served: complete, its links in place, and the way to it free.
check() {
  leads_to "$from" || refuse '`current` has changed since this run read it'
  [ -d "$to" ] || refuse "\`$to\` no longer exists"
  [ -w . ] && [ -w .runner ] || refuse "\`$(id -un 2>/dev/null || id -u)\` can no longer write to \`$root\`"
  case $(cat ".runner/records/$name") in
    *'"state":"complete"'*) ;;
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
  # Of this very shell, which `$$` is not.
  self=$(exec sh -c 'echo $PPID')
  left=$within
  while [ "$left" -gt 0 ]; do
    sleep 1 &
    wait "$!"
    [ -f "$intent" ] || [ -f "$reverting" ] || leave
    # Older, if the clock was set back.
    if is_held && { [ .runner/lock -nt "$seen" ] || [ .runner/lock -ot "$seen" ]; }; then
      touch -r .runner/lock "$seen"
      left=$within
    else
      left=$((left - 1))
    fi
  done
  trap '' TERM
  # Whoever has begun to take it back may have died of it.
  mv "$intent" "$reverting" || [ -f "$reverting" ] || leave
  end_steps
  note "$(date -u +%Y-%m-%dT%H:%M:%SZ) revert $name watch"
  go_back && rm -f "$reverting"
  leave
}

# What still runs of the step that made the swap would go on with one that is taken back; and so would other steps of
# this run, which hold its lock. But not the shell that waits for the next.
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

# As far as the swap was made at all.
go_back() {
  # A step that was cut may have come as far as `current`, and no further.
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

# What is whole is not given up for nothing, unless nothing was there before.
lead_back() {
  case $from in
    '') rm -f current ;;
    *) { [ -d "$from" ] || [ "$dangled" ]; } && point "$from" ;;
  esac
}

# One that takes the swap back already is not stopped by it.
stop_watch() {
  # Its number may have been lost with the answer to the arming.
  [ "$watch" ] || { IFS= read -r watch <"$seen"; } 2>/dev/null || :
  [ -z "$watch" ] || [ "$(started "${watch%%.*}")" != "${watch#*.}" ] || kill "${watch%%.*}" 2>/dev/null
}

stand_down() {
  stop_watch
  rm -f "$seen" "${watch:+.runner/busy.$watch}"
}

# Fails if the server has taken the swap back by itself. One that is confirmed stays so: the answer may have been lost.
confirm() {
  [ -e "$intent" ] && rm "$intent" || {
    [ ! -e "$intent" ] || refuse 'failed to confirm the swap'
    # In this order: during a swap back, that file exists until `current` leads back.
    [ ! -e "$reverting" ] && leads_to "$to" || return
  }
  stand_down
  # busybox's `rm -f` fails for what goes meanwhile: the watch removes the same files when it ends.
  return 0
}
