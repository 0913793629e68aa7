# Unpacks a part of a pack other than the first.
# Given:
#   stdin         a part of a pack
#   root, holder  the site, and the run that holds its lock
#   name          the release
#   expand        the program that expands the part, or nothing
begin_beside
[ -d "$new" ] || refuse "\`$new\` no longer exists"
unpack
say unpacked yes
