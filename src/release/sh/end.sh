# What a run does last, as far as it is asked for: confirms its swap, removes releases, lets the lock go.
# Given:
#   root, holder    the site, and the run that holds its lock
#   confirms        yes if the swap is confirmed
#   rollout         then the swaps that it was made with
#   watch, to       the watch over it, and where `current` leads since
#   prunes          yes if releases are removed
#   releases(name)  then these
#   entry           the line for the history, or nothing
#   frees           yes if the lock is released
enter

# Each is first moved away by one rename, so that no half of it can ever be taken for whole. Nothing is made for that: a
# full disk is what this has to work on.
prune_one() {
  if [ -d "releases/$1" ]; then
    [ "$(cd current/ 2>/dev/null && pwd -P)" != "$(cd "releases/$1" && pwd -P)" ] || refuse "release \`$1\` is live"
    case $places/ in
      *"-> $real/releases/$1/"*) say occupied "$1" && return ;;
    esac
    drop ".runner/trash.$1"
    # A directory that may not be written cannot be moved to another one either.
    [ -w "releases/$1" ] || chmod u+w "releases/$1" 2>/dev/null
    mv -- "releases/$1" ".runner/trash.$1" || { say stayed "$1"; return 0; }
  fi
  [ ! -f ".runner/manifests/$1" ] || n_files=$((n_files + $(wc -l <".runner/manifests/$1")))
  rm -f ".runner/records/$1" ".runner/manifests/$1"
  say pruned "$1"
}

# So many files are removed in no time.
many=2000

# Says once of each what stays.
told=
cut_down() {
  for path in .runner/trash.*; do
    [ -e "$path" ] || [ -L "$path" ] || continue
    drop "$path" 2>/dev/null
    [ -e "$path" ] || continue
    case $told in *" $path "*) continue ;; esac
    told="$told $path "
    say stayed "${path#.runner/trash.}"
  done
}

prune() {
  n_files=0
  real=$(pwd -P)
  # Where processes work, as far as we may see it.
  # shellcheck disable=SC2012 # names with other bytes are no releases of ours
  places=$(ls -l /proc/[0-9]*/cwd 2>/dev/null | sed 's|$|/|')
  # What an earlier one did not come to, or could not remove.
  cut_down
  releases prune_one
  if [ "$confirms" ] && [ "$n_files" -gt "$many" ]; then
    # Nobody who has deployed waits for that.
    (trap '' HUP && cut_down) </dev/null >/dev/null 2>&1 9>&- &
  else
    cut_down
  fi
  # What this run put into `shared/` is there to stay.
  rm -f .runner/seeded
  [ -z "$entry" ] || note "$entry"
}

if [ "$confirms" ] && ! confirm; then
  say expired yes
  exit 0
fi
[ -z "$prunes" ] || (prune)
[ -z "$frees" ] || { rm -rf .runner/guard; free; }
say ended yes
