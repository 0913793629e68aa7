# Reads which files of other releases were written through an inode that the release was filled with, under whatever
# name. A file that a command replaced, moved or removed is no danger.
enter
if [ -f .runner/guard/filled ]; then
  for release in releases/* releases/.[!.]*; do
    if [ "$release" = "releases/$name" ] || [ ! -d "$release" ]; then continue; fi
    stats "%i $file_stats" "$release" <.runner/guard/names >.runner/guard/other
    without .runner/guard/filled <.runner/guard/other |
      awk '
        # The inode and the name.
        { key = $0; sub(/ [^ ]* [^ ]* [^ ]* /, "/", key) }
        first { filled[key]; next }
        key in filled' first=1 .runner/guard/filled first= -
  done | sort -u | sed 's/^[^ ]* //' | say_differs
fi
[ ! -f .runner/guard/differs ] || cp .runner/guard/differs .runner/guard/known
say inspected yes
