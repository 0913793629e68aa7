# An answer is a sequence of fields `key=value`, each followed by NUL.
# Given: nothing
say() { printf '%s=%s\0' "$1" "$2"; }
