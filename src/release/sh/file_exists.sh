# Ends well if there is a file, a directory or a link.
# Given:
#   root, place  the site, and a directory of it
#   file         a path below that, or an absolute one
go reach_parent
[ -e "./$item" ] || [ -L "./$item" ]
