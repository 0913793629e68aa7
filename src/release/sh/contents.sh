# Lists everything in a release, and where its links point.
# Given:
#   root  the site
#   name  the release
enter
list "releases/$name" | say_each path
say_links "releases/$name"
say listed yes
