# Undoes a swap of this run, if `current` points to its release. The server may be doing this by itself, or may have done
# it.
# Given:
#   root, holder             the site, and the run that holds its lock
#   rollout                  the rollout that the swap belongs to
#   name                     the release that is swapped to
#   from, to                 the texts of `current` before and after the swap
#   dangled                  yes if `from` points to nothing
#   durable                  yes if the file system must be synced
#   back(name record)        the records after a swap back
#   environment(name value)  environment variables for `revert_command`
#   revert_command           runs after the server has swapped back by itself
#   watch                    the watch over the swap, or nothing
#   entry                    the line for the history
enter
made=yes
if [ -e "$intent" ] && mv "$intent" "$reverting"; then
  leads_to "$to" || made=
elif [ -e "$intent" ]; then
  refuse 'cannot write to `.runner`'
elif [ -e "$reverting" ]; then
  # The watch has decided, or a step like this one that was interrupted.
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
# Not before: if this step is interrupted, the watch finishes its work.
stand_down
say swapped_back yes
