# Reads whether directories of the site are as their manifests say.
enter
scratch=$(mktemp -d) || exit
trap 'rm -rf -- "$scratch"' EXIT
stale=
places survey_one
say surveyed yes
