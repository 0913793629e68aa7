# Functions that change the small files of a site.
# Given: nothing
refuse() { say refused "$1"; exit 1; }

# Replaces a small file by one rename, so that a reader sees the old text or the new one.
put() { printf '%s\n' "$2" >"$1.new" && mv -f -- "$1.new" "$1"; }

record() { put ".runner/records/$1" "$2"; }

# What is known of a site is nobody else's business. Not the trash: its files may be those of releases.
close_records() {
  chmod 700 .runner 2>/dev/null
  (cd .runner && chmod go= format site adoption lock history cache records/* manifests/* manifests/.cache) 2>/dev/null
  return 0
}

note() { printf '%s\n' "$1" >>.runner/history; }
