# Puts right what dead runs left. Who has the lock may: no other run is there, and what still writes is waited for.
# Given:
#   root, holder           the site, and the run that holds its lock
#   cut(rollout from to lead)  cut swaps: where `current` led before and after, and where it is to lead
#   records(name record)   records as they are to be
#   releases(name)         those that were never served
#   entries(line)          lines for the history
#   marked                 yes if `records` say which releases hold what was written in place
#   litter                 patterns of what else a dead run leaves
enter

# A swap that was cut: whoever takes the intent away has decided. Its watch is told, and goes on only if it is at it.
decide() {
  mv ".runner/intent.$1" ".runner/reverting.$1" 2>/dev/null
  watch=
  { IFS= read -r watch <".runner/seen.$1"; } 2>/dev/null
  [ -z "$watch" ] || [ "$(started "${watch%%.*}")" != "${watch#*.}" ] || kill "${watch%%.*}" 2>/dev/null
  return 0
}

# $1 is the rollout, $2 where `current` led before its swap, $3 where it led after, $4 where it must lead.
settle_swap() {
  if [ "$4" != "$(readlink current)" ]; then
    if [ "$4" ]; then
      # What is whole is not given up for nothing.
      [ -d "$4" ] || [ ! -d current/ ] || return 0
      point "$4" || refuse 'failed to re-point `current`'
    else
      rm -f current || exit
    fi
  fi
}

# What a cut of the power left without a word of it.
for path in .runner/intent.* .runner/reverting.*; do
  [ -s "$path" ] || rm -f "$path"
done

forget() { rm -f ".runner/intent.$1" ".runner/reverting.$1" ".runner/seen.$1"; }

# One that was never served. The last that is there of it is its record.
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
  # What it belongs to is gone: what it reads will never end. The parts of one pack are several.
  end_writers
  await_idle 50 || refuse "process $writer of an interrupted run is still writing"
}
cut settle_swap
records record || exit
cut forget
releases discard_one
entries note
# A command that died had no time to be told that it wrote what releases share. The guard, by which that is known, stays
# until those releases are marked.
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
