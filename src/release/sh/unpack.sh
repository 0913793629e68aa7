# Unpacks a part of a pack other than the first.
begin_beside
[ -d "$new" ] || refuse "\`$new\` is gone"
case $expand in
  '') unpack ;;
  *) "$expand" -dc | unpack || exit ;;
esac
say unpacked yes
