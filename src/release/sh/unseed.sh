# The undo of linking shared paths.
enter
unseed
say unseeded yes
