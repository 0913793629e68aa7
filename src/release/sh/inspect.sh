# Reports the files of other releases that were written through a release, and these releases.
# Given:
#   root, holder  the site, and the run that holds its lock
#   name          the release whose files are guarded
enter
if [ -f .runner/guard/filled ]; then
  : >.runner/guard/shares
  for release in releases/* releases/.[!.]*; do
    if [ "$release" = "releases/$name" ] || [ ! -d "$release" ]; then continue; fi
    written_in "$release" >.runner/guard/there
    [ ! -s .runner/guard/there ] || say shares "${release#releases/}" >>.runner/guard/shares
    cat .runner/guard/there
  done | sort -u | sed 's/^[^ ]* //' | say_differs
  cat .runner/guard/shares
fi
[ ! -f .runner/guard/differs ] || cp .runner/guard/differs .runner/guard/known
say inspected yes
