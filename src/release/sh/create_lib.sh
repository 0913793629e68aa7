# Creates the directory of a new release. The record comes first: a directory without one is never ours.
# Given:
#   name, record  the release and its record
make_release() {
  umask 022
  [ ! -e "releases/$name" ] || refuse "\`releases/$name\` already exists"
  record "$name" "$record" && mkdir -- "releases/$name" || {
    rm -f ".runner/records/$name"
    refuse "failed to create \`releases/$name\`"
  }
}
