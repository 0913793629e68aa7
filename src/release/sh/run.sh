# Runs a command of the recipe. It sees none of our functions and variables: the library comes behind it. Its text is
# never an argument, which `ps` would show.
cd -- "$runner_root/$runner_place" || exit
case $runner_cwd in
  ?*) cd -- "$runner_cwd" || exit ;;
esac
if [ -n "$runner_user" ]; then
  printf '%s' "$runner_command" | sudo -n -u "$runner_user" -- sh -c 'c=$(cat); eval "$c" </dev/null'
else
  (
    set -- "$runner_command"
    unset runner_root runner_place runner_cwd runner_command runner_user runner_release runner_tag
    eval "set --; $1"
  )
fi
runner_status=$?
