# Cleans up after interrupted runs. That is safe with the lock: no other run works here, and this waits for what still
# writes.
# Given:
#   root, holder           the site, and the run that holds its lock
#   cut(rollout from to lead)  interrupted swaps: what `current` points to before, after, and in the end
#   records(name record)   the new texts of records
#   releases(name)         releases that were never live, to remove
#   entries(line)          lines for the history
#   marked                 yes if `records` mark the releases that have files which were written in place
#   litter                 patterns for what else an interrupted run leaves
enter

# An interrupted swap: whoever renames the intent decides. This tells the watch, which goes on only if it is swapping
# back already.
decide() {
  mv ".runner/intent.$1" ".runner/reverting.$1" 2>/dev/null
  watch=
  { IFS= read -r watch <".runner/seen.$1"; } 2>/dev/null
  [ -z "$watch" ] || [ "$(started "${watch%%.*}")" != "${watch#*.}" ] || kill "${watch%%.*}" 2>/dev/null
  return 0
}

# $1 is the rollout. The others are what `current` points to: $2 before the swap, $3 after it, $4 in the end.
settle_swap() {
  if [ "$4" != "$(readlink current)" ]; then
    if [ "$4" ]; then
      # Do not replace a release that works by a link to nothing.
      [ -d "$4" ] || [ ! -d current/ ] || return 0
      point "$4" || refuse 'failed to re-point `current`'
    else
      rm -f current || exit
    fi
  fi
}

# Empty files, as a power failure leaves them.
for path in .runner/intent.* .runner/reverting.*; do
  [ -s "$path" ] || rm -f "$path"
done

forget() { rm -f ".runner/intent.$1" ".runner/reverting.$1" ".runner/seen.$1"; }

# A release that was never live. Its record is removed last.
discard_one() {
  served=$(cd current/ 2>/dev/null && pwd -P)
  [ ! -d "releases/$1" ] || [ "$served" != "$(cd "releases/$1" && pwd -P)" ] || return 0
  name=$1
  unseed
  drop "releases/$1" 2>/dev/null
  [ -e "releases/$1" ] || rm -f ".runner/manifests/$1" ".runner/records/$1"
}

cut decide
await_idle 600 || {
  # Its client is gone, so its input will never end. There are several such processes if the pack was in parts.
  end_writers
  await_idle 50 || refuse "process $writer of an interrupted run is still writing"
}
cut settle_swap
records record || exit
cut forget
releases discard_one
entries note
# A command may have written into files that releases share, and died before that was reported. The guard's files, which
# show it, stay until those releases are marked.
found=
if [ -z "$marked" ] && [ -f .runner/guard/filled ]; then
  for release in releases/* releases/.[!.]*; do
    [ ! -d "$release" ] || [ -z "$(written_in "$release")" ] || { say written "${release#releases/}" && found=yes; }
  done
fi
[ -z "$found" ] || {
  say healed yes
  exit 0
}
# shellcheck disable=SC2086 # split on purpose
drop $litter
say healed yes
