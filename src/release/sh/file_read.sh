# Prints a file.
# Given:
#   root, place  the site, and a directory of it
#   file         a path below that, or an absolute one
go reach
[ ! -e "./$item" ] || [ -f "./$item" ] || refuse 'it is not a regular file'
exec cat -- "./$item"
