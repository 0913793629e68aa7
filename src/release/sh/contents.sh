# Lists everything in a release, where its links point, and which of them lead to a directory.
# Given:
#   root  the site
#   name  the release
enter
list "releases/$name" | say_each path
say_links "releases/$name"
(
  cd -- "releases/$name" && find . -type l -exec sh -c '
    for path; do
      [ ! -d "$path" ] || printf "directory=%s\0" "${path#./}"
    done' sh {} +
)
say physical "$(pwd -P)"
say listed yes
