# What keeps a directory from being moved. POSIX sh.
# Given: nothing

# Says under key $1 which links below directory $2 would lead elsewhere from another place: each `..` takes one directory
# of the way. At most 20 of them.
say_links_out() (
  cd -- "$2" 2>/dev/null || exit 0
  n=0
  find . -type l 2>/dev/null | while IFS= read -r link; do
    text=$(readlink "$link") above=${link%/*}
    target=$text
    while case $target in .. | ../*) ;; *) false ;; esac do
      if [ "$above" = . ]; then
        say "$1" "${link#./} -> $text"
        n=$((n + 1))
        break
      fi
      above=${above%/*} target=${target#..} target=${target#/}
    done
    [ "$n" -lt 20 ] || break
  done
)

# The name of user $1, a number, if it has one.
user_name() { id -un "$1" 2>/dev/null || echo "$1"; }

# The number of the owner of $1.
owner_of() {
  # shellcheck disable=SC2012 # the owner comes before the name
  ls -ldn -- "$1" | { read -r mode links owner rest; echo "$owner"; }
}
