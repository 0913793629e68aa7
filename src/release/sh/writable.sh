# Makes directories of the release writable for its owner and group; what is below them belongs to the application.
# Given:
#   root, holder    the site, and the run that holds its lock
#   name            the release
#   writable(path)  the directories
enter
make_one() {
  path=releases/$name/$1
  [ -d "$path" ] || mkdir -p -- "$path" || exit
  # Another user's directory is left alone where we may write in it: its owner has seen to it.
  chmod 2775 "$path/." 2>/dev/null || [ -w "$path/." ] || refuse "\`$1\` cannot be made writable"
}
writable make_one
say writable yes
