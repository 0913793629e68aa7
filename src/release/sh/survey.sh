# Reads whether directories of the site are as their manifests say.
enter
# `/tmp` may be closed to the user, and `mktemp` missing.
scratch=$(mktemp -d 2>/dev/null) || {
  scratch=.runner/survey.$$
  mkdir -p -- "$scratch" || exit
}
trap 'rm -rf -- "$scratch"' EXIT
stale=
places survey_one
say surveyed yes
