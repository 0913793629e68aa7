# Says which paths are a release's own, not links to what is shared.
# Given:
#   root, holder  the site; `holder` is empty: it only reads
#   name          the release
#   asked(path)   the paths
enter
own() { [ ! -e "releases/$name/$1" ] || [ -L "releases/$name/$1" ] || say own "$1"; }
asked own
say listed yes
