# Takes back what a failed run put into `shared/`, unless something was written there since.
enter
unseed_one() {
  [ -z "$(find "shared/$1" -newer .runner/seeded 2>/dev/null | head -n 1)" ] || { say kept "$1"; return 0; }
  drop "shared/$1"
}
seeded unseed_one
say unseeded yes
