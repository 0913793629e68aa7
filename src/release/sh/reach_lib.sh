# Reaches a path below a release or `shared/`, where the web application, or another user, may have put a link. POSIX
# sh. The working directory changes: call it in a subshell.
# Given:
#   root  the site
makes=

# Goes to the directory that has what path $1 of the site leads to, and sets `$item` to its name there, which is no
# link. It goes one name at a time, and notices a name that becomes a link meanwhile. A link is followed only if each of
# these belongs to root or this user, and nobody else can write in it:
# - the link itself
# - the directory that it is in
# - every directory on the way to its target, but not the target
# Otherwise somebody else could have made the link, or could put another one in its way. A link in a release must also
# lead to the same release or to `shared/`: a pull request could have added it.
# With `$makes`, directories that are missing are made. Fails with 2 if one is missing, else it refuses.
reach() {
  [ -d "$root" ] || return 2
  cd -- "$root" || refuse "cannot enter \`$root\`"
  # Each may be a link of the administrator.
  releases=$(cd releases 2>/dev/null && where) || releases=/dev/null
  shared=$(cd shared 2>/dev/null && where) || shared=/dev/null
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
      here=$(where)
      case $here/ in
        "$releases"/?*/*)
          fence=${here#"$releases"/}
          fence=$releases/${fence%%/*}
          ;;
        # Who could make a link there decides.
        "$shared"/*) fence= ;;
      esac
      text=$(readlink "./$item" && echo .)
      text=${text%??}
      case $text in /*) cd / || return ;; esac
      target=$text${target:+/$target}
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

stay_inside() {
  [ "$fence" ] || return 0
  case $(where)/ in
    "$fence"/* | "$shared"/*) ;;
    *) refuse "refused to follow \`$1\`: a link in the release leads outside it, to \`$(where)\`" ;;
  esac
}

distrust() {
  refuse "refused to follow \`$1\`: users other than root and \`$(id -un)\` can replace \`$item\` in \`$(where)\`"
}
