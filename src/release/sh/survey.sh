# Reads whether directories of the site are as their manifests say.
enter
# Where the user has no right outside the site, or there is no `mktemp`.
scratch=$(mktemp -d 2>/dev/null) || scratch=.runner/survey.$$ && mkdir -p -- "$scratch" || exit
trap 'rm -rf -- "$scratch"' EXIT
stale=
places survey_one
say surveyed yes
