# Unpacks a part of a pack other than the first.
begin_beside
[ -d "$new" ] || refuse "\`$new\` is gone"
unpack
say unpacked yes
