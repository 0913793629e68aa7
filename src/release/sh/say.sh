# An answer is a sequence of fields `key=value`, each followed by NUL.
# Given: nothing

# Variables of a user's shell that would change what our scripts do or print. A command of a recipe runs before this.
unset CDPATH TAR_OPTIONS GREP_OPTIONS GZIP BLOCK_SIZE BLOCKSIZE DF_BLOCK_SIZE QUOTING_STYLE TIME_STYLE
say() { printf '%s=%s\0' "$1" "$2"; }
