# Compares directories of the site with their manifests.
# Given:
#   root           the site
#   places(path kept_as by shown relied_on)  directories to compare with their manifests, see `survey_one`
#   touched(path)  files that commands are known to have replaced
enter
# The user may not write to `/tmp`, or there may be no `mktemp`.
scratch=$(mktemp -d 2>/dev/null) || {
  scratch=.runner/survey.$$
  mkdir -p -- "$scratch" || exit
}
trap 'rm -rf -- "$scratch"' EXIT
stale=
places survey_one
say surveyed yes
