# Follows a command in a release: checks whether it wrote files that releases share.
# Given:
#   runner_root     the site
#   runner_release  the release to guard, or nothing
#   runner_tag      a text that no command prints
if [ -n "$runner_release" ]; then
  root=$runner_root
  enter
  [ ! -f .runner/guard/filled ] || guard "releases/$runner_release" || {
    printf '%s' "$runner_tag"
    say_guarded
  }
fi
exit "$runner_status"
