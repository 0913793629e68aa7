# Unpacks a part of a pack other than the first.
begin_beside
[ -d "$new" ] || refuse "\`$new\` is gone"
case $expand in
  '') unpack ;;
  *)
    # A `tar` whose input ends between two members takes that for its end.
    broken=$run/broken.$$
    { "$expand" -dc || : >"$broken"; } | (unpack) || exit
    [ ! -e "$broken" ] || refuse "the pack could not be expanded: \`$expand -dc\` failed"
    ;;
esac
say unpacked yes
