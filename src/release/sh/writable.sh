# Makes directories of the release writable for their owner and group. What is below them belongs to the application.
# Given:
#   root, holder    the site, and the run that holds its lock
#   name            the release
#   writable(path)  the directories
enter
make_one() {
  path=releases/$name/$1
  [ -d "$path" ] || mkdir -p -- "$path" || exit
  # A directory of another user is left alone if this user can write to it: its owner has set it up.
  chmod 2775 "$path/." 2>/dev/null || [ -w "$path/." ] || refuse "failed to make \`$1\` writable"
}
writable make_one
say writable yes
