# Makes a directory that visitors see the first release, in one act: it changes places with the link that leads to it
# from then on. Finishes what an interrupted run began.
# Given:
#   root, holder  the site, and the run that holds its lock
#   name          the release that the directory becomes
#   place         `current` or a docroot; nothing if `current` is a link already
#   link          the text of the link
#   adoption      how the site is adopted, for the next run and for the undo
#   records(name record)  older releases of another tool
#   shares(kind path link)  what of the directory moves to `shared/`: directory or file, path, text of the link
enter

# The place leads to the release.
is_adopted() {
  [ -L "$place" ] && [ "$(readlink "$place")" = "$link" ] && [ -d "releases/$name" ] && [ ! -L "releases/$name" ]
}

# shellcheck disable=SC2046 # the mode, the links and the owner come before the name
is_owned() (
  set -- $(ls -ldn -- "$1")
  [ "$3" = 0 ] || [ "$3" = "$(id -u)" ]
)

# Only names that lead nowhere, and that nobody was led to.
take_away() {
  [ -d "$place" ] && [ ! -L "$place" ] || return
  rm -f "releases/$name"
  [ "$place" = current ] || rm -f current
  rm -f .runner/adoption
}

# Before anything is written: another run may have adopted the site since this one looked.
if [ "$place" ] && ! is_adopted; then
  [ -d "$place" ] && [ ! -L "$place" ] || refuse "\`$place\` is no directory any more"
  # Who owns a directory can replace what is in it.
  is_owned "$place" || refuse "\`$place\` belongs to somebody else"
  [ -L "releases/$name" ] || [ ! -e "releases/$name" ] || refuse "\`releases/$name\` already exists"
fi
# Before `adoption`: a run that finds that file has nothing to record.
records record || refuse 'cannot write to `.runner`'
# Before the exchange: after a power cut, all that follows is explained by it, and the next run goes on with the same name.
put .runner/adoption "$adoption" || refuse 'cannot write to `.runner`'
if [ "$place" ] && ! is_adopted; then
  # Where it is made, the text of the link leads nowhere. It is right where the link is after the exchange.
  rm -f "releases/$name" && ln -s -- "$link" "releases/$name" || refuse 'cannot write to `releases`'
  # Of a docroot, no visitor comes by `current` before the exchange, and all of them do after it. So it comes before.
  if [ "$place" != current ]; then
    [ ! -e current ] || refuse "\`$root\` is a site already"
    point "releases/$name" || refuse 'failed to make `current`'
  fi
  # The kernel does it wholly or not at all, also where the power fails or this shell is killed: visitors find the
  # directory by its name before, and by the link after.
  find_exchanger
  why=$(exchange "$place" "releases/$name" 2>&1)
  is_adopted || {
    take_away
    refuse "failed to exchange \`$place\` for a link${why:+: $why}"
  }
  say exchanged yes
fi

# Moves path $2 of the release to `shared/`; link $3 takes its place in the same act.
share_one() (
  makes=yes
  reach_parent "shared/$2" || exit
  to=$(where)/$item
  reach_parent "releases/$name/$2" || exit
  is_link() { [ -L "$1" ] && [ "$(readlink "$1")" = "$2" ]; }
  is_link "./$item" "$3" && exit
  [ -e "./$item" ] || [ -L "./$item" ] || refuse "\`$2\` is not there any more"
  if is_link "$to" "$3"; then rm -f -- "$to"; fi
  [ ! -e "$to" ] && [ ! -L "$to" ] || refuse "\`shared/$2\` exists already"
  # The text is right where the link is after the exchange.
  ln -s -- "$3" "$to" || refuse "cannot write to \`shared/$2\`"
  why=$(exchange "./$item" "$to" 2>&1)
  is_link "./$item" "$3" || {
    ! is_link "$to" "$3" || rm -f -- "$to"
    refuse "failed to exchange \`$2\` for a link${why:+: $why}"
  }
)

find_exchanger
say adopted yes
# Last: if one fails, the caller takes all of it back.
shares share_one
