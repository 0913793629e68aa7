# Makes a release that is filled later.
enter
make_release
say created yes
