# The `stat` lines of the files of directory $1 that were written through an inode with which the guarded release was
# filled, whatever their name there. A file that a command replaced, moved or removed does no harm.
# Given: nothing
written_in() {
  stats "%i $file_stats" "$1" <.runner/guard/names >.runner/guard/other
  without .runner/guard/filled <.runner/guard/other |
    awk '
      # The inode and the name.
      { key = $0; sub(/ [^ ]* [^ ]* [^ ]* /, "/", key) }
      first { filled[key]; next }
      key in filled' first=1 .runner/guard/filled first= -
}
