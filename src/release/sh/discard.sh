# Removes a release that was never complete: the undo of its creation.
# Given:
#   root, holder  the site, and the run that holds its lock
#   name          the release
#   claim         a part of the record that no other run's record has
#   record        the record while it is being removed
#   entry         the line for the history
enter
# Another run may have taken the name first: then nothing here is ours.
case $(cat ".runner/records/$name" 2>/dev/null) in
  *"$claim"*) ;;
  *) say discarded no; exit 0 ;;
esac
served=$(cd current/ 2>/dev/null && pwd -P)
[ ! -d "releases/$name" ] || [ "$served" != "$(cd "releases/$name" && pwd -P)" ] || refuse "release \`$name\` is live"
# A `tar` whose connection was lost may still be unpacking.
await_idle 100 || end_writers
record "$name" "$record"
rm -rf .runner/guard
drop .runner/fill .runner/restore .runner/seed
drop "releases/$name" 2>/dev/null
[ -e "releases/$name" ] || rm -f ".runner/records/$name" ".runner/manifests/$name" ".runner/manifests/$name.next"
note "$entry"
say discarded yes
