# Behind a command in a release that is being built: did it write what it must not?
if [ -n "$runner_release" ]; then
  root=$runner_root
  enter
  guard "releases/$runner_release" || {
    printf '%s' "$runner_tag"
    say_guarded
  }
fi
exit "$runner_status"
