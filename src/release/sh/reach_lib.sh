# How a step gets to a path below a release or `shared/`, where the web application, or another user, may have put a
# link. POSIX sh. The working directory changes: call it in a subshell.
# Given:
#   root  the site

# Goes to the directory that has what path $1 of the site leads to, and sets `$item` to its name there, which is no
# link. One name at a time: a name that becomes a link meanwhile is noticed. A link is followed only if nobody but root
# and this user can have put it there, or can put another in its way: it, the directory that it lies in, and every
# directory on the way to its target belong to one of them, and nobody else can write in these directories. One that
# lies in a release leads to the same release or to `shared/`, or it came with the source of somebody else's change.
# With `$makes`, directories that are missing are made. Fails with 2 if one is missing, else it refuses.
reach() {
  [ -d "$root" ] || return 2
  cd -- "$root" || refuse "cannot enter \`$root\`"
  site=$(where)
  way=$1
  target=
  hops=0
  fence=
  while :; do
    is_target=$target
    next=${target:-$way}
    item=${next%%/*}
    next=${next#"$item"}
    next=${next#/}
    if [ "$target" ]; then target=$next; else way=$next; fi
    case $item in
      '' | .)
        [ -z "$target$way" ] || continue
        item=.
        stay_inside "$1"
        return
        ;;
      ..)
        cd -P .. || return
        continue
        ;;
    esac
    [ -z "$is_target" ] || is_ours . || distrust "$1"
    if [ -L "./$item" ]; then
      is_ours . && is_ours "./$item" && [ "$((hops = hops + 1))" -le 40 ] || distrust "$1"
      fence=
      here=$(where)
      case $here in
        "$site"/releases/?*)
          fence=${here#"$site"/releases/}
          fence=$site/releases/${fence%%/*}
          ;;
      esac
      link=$(readlink "./$item" && echo .)
      link=${link%??}
      case $link in /*) cd / || return ;; esac
      target=$link${target:+/$target}
    elif [ -z "$target$way" ]; then
      stay_inside "$1"
      return
    else
      step_into "$1" || return
    fi
  done
}

# Like `reach`, but goes into the directory itself.
reach_directory() { reach "$1" && { [ "$item" = . ] || step_into "$1"; }; }

# Like `reach`, but does not follow the last name, `$item`, which may be a link.
reach_parent() {
  case $1 in
    */*) reach_directory "${1%/*}" ;;
    *) reach_directory . ;;
  esac && item=${1##*/}
}

# Moves $1 to $2, which is not there: also where somebody else makes a directory of that name meanwhile.
move_to() { mv -T -- "$1" "$2" 2>/dev/null || { [ ! -e "$2" ] && [ ! -L "$2" ] && mv -- "$1" "$2"; }; }

# Enters `$item`, unless it has become a link since it was looked at.
step_into() {
  if [ ! -d "./$item" ]; then
    [ ! -e "./$item" ] && [ "$makes" ] || return 2
    stay_inside "$1"
    making "$1"
    mkdir -- "./$item" || return
  fi
  here=$(where)
  cd -P -- "./$item" || return
  [ "$(where)" = "${here%/}/$item" ] || distrust "$1"
}
making() { :; }

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

stay_inside() {
  [ "$fence" ] || return 0
  case $(where)/ in
    "$fence"/* | "$site"/shared/*) ;;
    *) refuse "\`$1\` was not followed: a link of the release leads out of it, to \`$(where)\`" ;;
  esac
}

distrust() {
  refuse "\`$1\` was not followed: somebody else than root and \`$(id -un)\` can have put \`$item\` in \`$(where)\`, or can replace it"
}
