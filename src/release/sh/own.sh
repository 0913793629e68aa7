# Says what a release has at paths. A link to what is shared is not its own: it counts as nothing.
# Given:
#   root, holder  the site; `holder` is empty: it only reads
#   name          the release
#   asked(path)   the paths
enter
own() {
  release_kind "$1" "releases/$name"
  [ "$kind" != link ] || case $(readlink "releases/$name/$1") in *shared/"$1") kind=nothing ;; esac
  say own "$1"
  say own_kind "$kind"
  say own_at "$at"
}
asked own
say listed yes
