# Reports the files of other releases that were written through the release that is being built.
# Given:
#   root, holder  the site, and the run that holds its lock
#   name          the release that is being built
enter
if [ -f .runner/guard/filled ]; then
  for release in releases/* releases/.[!.]*; do
    if [ "$release" = "releases/$name" ] || [ ! -d "$release" ]; then continue; fi
    written_in "$release"
  done | sort -u | sed 's/^[^ ]* //' | say_differs
fi
[ ! -f .runner/guard/differs ] || cp .runner/guard/differs .runner/guard/known
say inspected yes
