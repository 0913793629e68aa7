# Makes directories of the release writable for their owner and group. What is below them belongs to the application.
# Given:
#   root, holder    the site, and the run that holds its lock
#   name            the release
#   writable(path)  the directories
enter
makes=yes
make_one() (
  reach_directory "releases/$name/$1" || refuse "failed to make \`$1\` writable"
  # Not the code of a release, nor all of `shared/`, that a link leads to.
  case $(where) in
    "$releases/$name/$1") ;;
    "$releases" | "$releases"/* | "$shared") refuse "refused to make \`$1\` writable: a link leads to \`$(where)\`" ;;
  esac
  # A directory of another user is left alone if this user can write to it: its owner has set it up.
  chmod 2775 . 2>/dev/null || [ -w . ] || {
    say others "$1"
    # shellcheck disable=SC2012,SC2046 # the mode and the owner come before the name
    set -- $(ls -ldn .)
    say others_as "$1 $2 $(id -un "$3" 2>/dev/null || echo "$3") ."
  }
  # What either of the two makes there, the other one can change.
  setfacl -d -m g::rwx . 2>/dev/null || :
)
writable make_one || exit
say writable yes
