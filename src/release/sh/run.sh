# Runs a command of the recipe. The command sees none of our functions and variables: the library follows after it. Its
# text is never an argument, which `ps` would show. Processes that it leaves running do not hold the lock: descriptor 9
# is closed for them.
# Given:
#   runner_root                     the site
#   runner_holder                   the run that holds its lock, or nothing for a command that only reads
#   runner_place, runner_cwd        a directory of the site, and one below it or absolute
#   runner_command                  shell text; for another user, one line for `printf %b` that sets the environment too
#   runner_environment(name value)  its environment variables
#   runner_user                     another user to run it as, or nothing
#   runner_errexit                  yes if the command ends at its first failure
#   runner_release                  the release to guard, or nothing
#   runner_tag                      a text that no command prints
case $runner_cwd in
  /*) ;;
  *) cd -- "$runner_root/$runner_place" || exit ;;
esac
if [ "$runner_holder" ]; then
  runner_held=
  { IFS= read -r runner_held <"$runner_root/.runner/lock"; } 2>/dev/null
  case $runner_held in
    *"\"run\":\"$runner_holder\""*) ;;
    *) echo 'this run no longer holds the lock of the site' >&2 && exit 1 ;;
  esac
fi
# Without `./`, the CDPATH of the user's shell would apply.
case $runner_cwd in
  /*) cd -- "$runner_cwd" || exit ;;
  ?*) cd -- "./$runner_cwd" || exit ;;
esac
runner_export() { export "$1=$2"; }
(
  if [ -n "$runner_user" ]; then
    # sudo passes no environment on. `read` leaves what follows the line to the command, and fails if the line is
    # incomplete.
    printf '%s\n' "$runner_command" |
      sudo -n -u "$runner_user" -- sh -c 'IFS= read -r c || exit; eval "unset c; $(printf %b "$c")" </dev/null'
    exit
  fi
  # Only in this subshell: else the tools of the guard would have them in their environment.
  runner_environment runner_export
  set -- "$runner_command"
  [ -z "$runner_errexit" ] || set -e
  unset runner_root runner_place runner_cwd runner_command runner_user runner_errexit runner_release runner_tag runner_holder runner_held
  unset -f runner_environment runner_export
  eval "set --; $1"
) 9>&-
runner_status=$?
