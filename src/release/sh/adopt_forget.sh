# Removes the note about an adoption that was taken back: from now on there is nothing to take back.
# Given:
#   root, holder  the site, and the run that holds its lock
#   entry         the line for the history
enter
rm -f .runner/adoption
note "$entry"
say forgotten yes
