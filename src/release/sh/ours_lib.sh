# Whose a directory or a link is. POSIX sh.
# Given:
#   root  the site, for `close_site`
# The environment has no say in it.
uid=

# The shell's own `pwd` may remember what was asked for.
where() { env pwd -P; }

# Whether directory or link $1 belongs to root or this user, and nobody else can write in it.
is_ours() {
  uid=${uid:-$(id -u)}
  # shellcheck disable=SC2012,SC2046 # the mode and the owner come before the name
  set -- $(ls -ldn -- "$1")
  case $3 in
    0 | "$uid") ;;
    *) return 1 ;;
  esac
  case $1 in
    l*) ;;
    ?????w* | ????????w*) return 1 ;;
  esac
}

# Takes the right to write in the site and its `.runner` from others. Fails if somebody else may have made `.runner`.
# Changes the working directory.
close_site() {
  cd -- "$root" && [ ! -L .runner ] && [ -d .runner ] || return
  # Where root owns the site, a warning names it.
  chmod go-w . 2>/dev/null
  is_ours .runner && return
  chmod go-w .runner 2>/dev/null && is_ours .runner || return
  # Others could write in it until now; none of these is ever a link of ours.
  cd .runner || return
  for path in * records/* manifests/* manifests/.cache; do
    [ ! -L "$path" ] || rm -f -- "$path" || return
  done
}
