# Seals the release: checks that no shared file was written and that every link is in place, then marks the record as
# complete.
# Given:
#   root, holder            the site, and the run that holds its lock
#   name, record            the release and its record
#   guarded                 yes if files that releases share are guarded
#   durable                 yes if the file system must be synced
#   shared(kind path link)  shared paths: directory or file, path, text of the link
enter
new=releases/$name
[ -d "$new" ] || refuse "\`$new\` no longer exists"
linked_one() { [ "$(readlink "$new/$2")" = "$3" ] || refuse "\`$2\` is no longer the link into \`shared/\`"; }
shared linked_one
if [ -n "$guarded" ] && ! guard "$new"; then
  say_guarded
  exit 1
fi
[ -z "$durable" ] || sync
record "$name" "$record" || exit
[ -z "$durable" ] || sync
say sealed yes
