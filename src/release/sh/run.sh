# Runs a command of the recipe; then, in a release that is being built, looks whether it wrote what it must not.
cd -- "$root/$place" || exit
case $cwd in
  ?*) cd -- "$cwd" || exit ;;
esac
if [ -n "$as_user" ]; then
  sudo -n -u "$as_user" -- sh -c "$command"
else
  (eval "$command")
fi
status=$?
if [ -n "$guarded" ]; then
  enter
  guard "releases/$name" || {
    printf '%s' "$tag"
    say_guarded
  }
fi
exit "$status"
