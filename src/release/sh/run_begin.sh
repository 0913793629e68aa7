# Before the first command of a run in the live release: stores the state of the files that releases share, which the
# guard compares after each command.
# Given:
#   runner_root     the site
#   runner_holder   the run that holds its lock
#   runner_release  the live release
root=$runner_root
holder=$runner_holder
enter >/dev/null
rm -rf .runner/guard && mkdir .runner/guard || exit
[ ! -f ".runner/manifests/$runner_release" ] || names f ".runner/manifests/$runner_release" >.runner/guard/names
command : >>.runner/guard/names
stats "%i $file_stats" "releases/$runner_release" <.runner/guard/names >.runner/guard/filled
command : >.runner/guard/known
