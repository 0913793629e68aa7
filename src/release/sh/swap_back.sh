# Takes a swap of this run back, if `current` leads there. The server may be about to do it, or may have done it.
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
  lead_back || refuse '`current` could not be re-pointed'
  [ -z "$durable" ] || sync
  note "$entry"
fi
[ -z "$made" ] || { back record && say made yes; } || exit
rm -f "$reverting"
# Not before: it finishes what is cut here.
stand_down
say swapped_back yes
