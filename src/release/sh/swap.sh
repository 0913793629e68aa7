# Re-points `current`. Nothing moves unless it still leads to where this run saw it lead.
enter
[ -z "$arms" ] || arm
[ "$commits" ] || { say armed yes; exit 0; }
[ -f "$intent" ] || refuse 'no sign of life came for too long, and the swap was taken back before it was made'
leads_to "$from" || refuse '`current` was changed by somebody else'
point "$to" || refuse '`current` could not be re-pointed'
records record || exit
[ -z "$durable" ] || sync
note "$entry"
say swapped yes
