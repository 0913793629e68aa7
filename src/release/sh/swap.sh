# Re-points `current`. Nothing moves unless it still leads to where this run saw it lead.
enter
[ "$(readlink current)" = "$from" ] || refuse '`current` was changed by somebody else'
if [ -z "$to" ]; then
  rm -f current || exit
else
  [ -d "$to" ] || [ -n "$dangling" ] || refuse "\`$to\` is gone"
  point "$to" || refuse '`current` could not be re-pointed'
fi
records record || exit
[ -z "$durable" ] || sync
note "$entry"
say swapped yes
