# Creates a release that is filled later.
# Given:
#   root, holder  the site, and the run that holds its lock
#   name, record  the release and its record
enter
make_release
say created yes
