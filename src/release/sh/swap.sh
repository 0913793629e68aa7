# Points `current` to another release. Does nothing unless it still points to what this run found.
# Given:
#   root, holder             the site, and the run that holds its lock
#   rollout                  the rollout that the swap belongs to
#   arms, commits            yes for the parts of the swap to make
#   name                     the release that is swapped to
#   from, to                 the texts of `current` before and after the swap
#   dangled                  yes if `from` points to nothing
#   durable                  yes if the file system must be synced
#   back(name record)        the records after a swap back
#   environment(name value)  environment variables for `revert_command`
#   revert_command           runs after the server has swapped back by itself
#   records(name record)     the records after the swap
#   linked(path link)        links into `shared/` that must be there
#   named                    yes if a run may go to a release that is marked as bad
#   guarded                  yes if files that releases share are guarded
#   text                     the intent
#   within                   seconds that the unconfirmed swap may go without a heartbeat
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
