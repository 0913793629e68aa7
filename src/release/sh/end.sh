# The last step of a run. As requested, it confirms the swap, removes releases and releases the lock.
# Given:
#   root, holder    the site, and the run that holds its lock
#   confirms        yes if the swap is confirmed
#   rollout         if it is: the rollout that it belongs to
#   watch, to       if it is: the watch over the swap, and the text of `current` after it
#   prunes          yes if releases are removed
#   releases(name)  the releases to remove
#   prune_command   runs in a release that could not be removed, or nothing
#   entry           the line for the history, or nothing
#   frees           yes if the lock is released
enter

# Each release is first moved away by one rename, so that half of one can never be taken for a whole release. That needs
# no new file: this must work on a full disk.
prune_one() {
  if [ -d "releases/$1" ]; then
    [ "$(cd current/ 2>/dev/null && pwd -P)" != "$(cd "releases/$1" && pwd -P)" ] || refuse "release \`$1\` is live"
    case $places/ in
      *"-> $real/releases/$1/"*) say occupied "$1" && return ;;
    esac
    drop ".runner/trash.$1"
    # A directory without write permission cannot be moved to another directory.
    [ -w "releases/$1" ] || chmod u+w "releases/$1" 2>/dev/null
    mv -- "releases/$1" ".runner/trash.$1" || { say unmoved "$1"; return 0; }
  fi
  [ ! -f ".runner/manifests/$1" ] || n_files=$((n_files + $(wc -l <".runner/manifests/$1")))
  rm -f ".runner/records/$1" ".runner/manifests/$1"
  say pruned "$1"
}

# Up to this many files are removed at once, in the foreground.
many=2000

cut_down() {
  for path in .runner/trash.*; do
    [ -e "$path" ] || [ -L "$path" ] || continue
    drop "$path" 2>/dev/null
    [ -d "$path" ] && [ ! -L "$path" ] && [ "$prune_command" ] || continue
    # Starts in the release, because other users cannot enter `.runner` themselves.
    why=$({ (cd "$path" && exec sh -c "$prune_command") </dev/null 2>&1 9>&- || echo "exit status $?"; } | sed -n '1p;$p')
    drop "$path" 2>/dev/null
    [ ! -e "$path" ] || printf '%s\n' "${why:-it left files}" | say_each prune_error
  done
}

# Reports what could not be removed: the releases, and the number and owners of other users' files.
report_rest() {
  set -- .runner/trash.*
  [ -e "$1" ] || [ -L "$1" ] || return 0
  for path in "$@"; do say stayed "${path#.runner/trash.}"; done
  say rest_kib "$(du -sk -- "$@" 2>/dev/null | awk '{ n += $1 } END { print n + 0 }')"
  say rest_files "$(find "$@" ! -user "$(id -u)" -print0 2>/dev/null | tr -cd '\0' | wc -c)"
  find "$@" ! -user "$(id -u)" -exec stat -c %U {} + 2>/dev/null | sort -u | say_each rest_user
}

prune() {
  n_files=0
  real=$(pwd -P)
  # The working directories of processes, as far as this user may see them.
  # shellcheck disable=SC2012 # names with other bytes are no releases of ours
  places=$(ls -l /proc/[0-9]*/cwd 2>/dev/null | sed 's|$|/|')
  releases prune_one
  if [ "$confirms" ] && [ "$n_files" -gt "$many" ]; then
    # The user need not wait for that.
    (trap '' HUP && cut_down) </dev/null >/dev/null 2>&1 9>&- &
  else
    # Also what an earlier prune did not finish, or could not remove.
    cut_down
    report_rest
  fi
  # What this run put into `shared/` stays from now on.
  rm -f .runner/seeded
  [ -z "$entry" ] || note "$entry"
}

if [ "$confirms" ] && ! confirm; then
  say expired yes
  exit 0
fi
[ -z "$prunes" ] || (prune)
[ -z "$frees" ] || { rm -rf .runner/guard; close_records; free; }
say ended yes
