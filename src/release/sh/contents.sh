# Lists everything in a directory, which of it are directories, where its links point, and which of them lead to a
# directory.
# Given:
#   root   the site
#   place  the directory
enter
list "$place" | say_each path
list "$place" -type d | say_each made
say_links "$place"
(
  cd -- "$place" && find . -type l -exec sh -c '
    for path; do
      [ ! -d "$path" ] || printf "directory=%s\0" "${path#./}"
    done' sh {} +
)
say physical "$(pwd -P)"
say listed yes
