# Undoes the making of a release: it never counted, and goes.
enter
[ "$(cd current/ 2>/dev/null && pwd -P)" != "$(cd "releases/$name" 2>/dev/null && pwd -P)" ] || [ ! -d "releases/$name" ] || refuse "\`$name\` is being served"
[ ! -f ".runner/records/$name" ] || record "$name" "$record"
rm -rf .runner/guard
drop .runner/fill .runner/restore .runner/seed
drop "releases/$name" 2>/dev/null
[ -e "releases/$name" ] || rm -f ".runner/records/$name" ".runner/manifests/$name"
note "$entry"
say discarded yes
