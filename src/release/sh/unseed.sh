# The undo of linking shared paths.
# Given:
#   root, holder  the site, and the run that holds its lock
#   name          the release that is discarded
enter
unseed
say unseeded yes
