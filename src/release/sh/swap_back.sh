# Takes a swap of this run back, if `current` leads there. The server may be about to do it, or may have done it.
# Given:
#   root, holder             the site, and the run that holds its lock
#   rollout                  the swaps that this one is made with: of the run, by number
#   name                     the release that is swapped to
#   from, to                 the texts of `current` before and after the swap
#   dangled                  yes if `from` leads to nothing
#   durable                  yes if the file system is to be synced
#   back(name record)        the records after the swap is taken back
#   environment(name value)  what `revert_command` sees
#   revert_command           runs after the server took the swap back by itself
#   watch                    the watch over the swap, or nothing
#   entry                    the line for the history
enter
made=yes
if [ -e "$intent" ] && mv "$intent" "$reverting"; then
  leads_to "$to" || made=
elif [ -e "$intent" ]; then
  refuse 'cannot write to `.runner`'
elif [ -e "$reverting" ]; then
  # The watch, or a step like this one that was cut.
  stop_watch
  tenths=600
  while [ "$watch" ] && [ "$(started "${watch%%.*}")" = "${watch#*.}" ] && [ "$tenths" -gt 0 ]; do
    tenths=$((tenths - 1))
    pause
  done
elif ! leads_to "$to" && [ -z "$watch" ]; then
  made=
fi
if leads_to "$to"; then
  lead_back || refuse 'failed to re-point `current`'
  [ -z "$durable" ] || sync
  note "$entry"
fi
[ -z "$made" ] || { back record && say made yes; } || exit
rm -f "$reverting"
# Not before: it finishes what is cut here.
stand_down
say swapped_back yes
