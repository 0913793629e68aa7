# Makes the site's directories where they are missing and adopts what another tool is serving.
umask a+rx
mkdir -p -- "$root" || refuse "cannot make \`$root\`"
enter
mkdir -p releases shared .runner/records .runner/manifests || refuse "cannot write to \`$root\`"
[ -f .runner/format ] || put .runner/format "$format" || refuse "cannot write to \`$root/.runner\`"
[ -z "$adopt" ] || [ -f ".runner/records/$adopt" ] || {
  record "$adopt" "$adopted" && note "$entry" || refuse "cannot write to \`$root/.runner\`"
}
say opened yes
