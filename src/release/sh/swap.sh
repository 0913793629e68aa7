# Re-points `current`. Nothing moves unless it still leads to where this run saw it lead.
# Given:
#   root, holder             the site, and the run that holds its lock
#   rollout                  the swaps that this one is made with: of the run, by number
#   arms, commits            yes for the parts of the swap that are made
#   name                     the release that is swapped to
#   from, to                 the texts of `current` before and after the swap
#   dangled                  yes if `from` leads to nothing
#   durable                  yes if the file system is to be synced
#   back(name record)        the records after the swap is taken back
#   environment(name value)  what `revert_command` sees
#   revert_command           runs after the server took the swap back by itself
#   records(name record)     the records after the swap
#   linked(path link)        links into `shared/` that must be there
#   guarded                  yes if files that releases share are guarded
#   text                     the intent
#   within                   seconds that the swap may go unconfirmed without a sign of life
#   entry                    the line for the history
enter
[ -z "$arms" ] || arm
[ "$commits" ] || { say armed yes; exit 0; }
[ -f "$intent" ] || refuse 'no heartbeat came for too long, so the server cancelled the swap before it was made'
leads_to "$from" || refuse '`current` has changed since this run read it'
point "$to" || refuse 'failed to re-point `current`'
records record || exit
[ -z "$durable" ] || sync
note "$entry"
say swapped yes
