# Reports what lies at a deploy path, and which web servers could serve it. Changes nothing.
# Given:
#   root  the site
#   top   empty; a directory instead of `/` for the configurations of servers, in tests
case $root in
  '~/'*) root=$HOME/${root#'~/'} ;;
esac
say root "$root"
user=$(id -un 2>/dev/null) || user=$(id -u)
say user "$user"
there=$root
while [ ! -e "$there" ] && [ ! -L "$there" ]; do
  there=${there%/*}
  [ -n "$there" ] || there=/
done
say nearest "$there"
[ -d "$there" ] && [ -w "$there" ] && [ -x "$there" ] && say writable yes

if [ -L "$root/current" ]; then
  say current link
elif [ -d "$root/current" ]; then
  say current directory
elif [ -d "$root" ]; then
  for name in index.php index.html index.htm .htaccess wp-config.php artisan public public_html htdocs; do
    [ ! -e "$root/$name" ] || { say docroot "$name" && break; }
  done
fi
[ ! -d "$root/.runner" ] || say laid_out_by runner
[ ! -d "$root/.dep" ] || say laid_out_by Deployer
[ ! -f "$root/revisions.log" ] || say laid_out_by Capistrano

say php "$(php -r 'echo PHP_VERSION;' 2>/dev/null </dev/null)"
for process in /proc/[0-9]*; do
  { IFS= read -r name <"$process/comm"; } 2>/dev/null || continue
  case $name in nginx | apache2 | httpd | caddy | lighttpd) say runs "$name" ;; esac
done
for socket in "$top"/run/php/*.sock "$top"/run/php-fpm/*.sock "$top"/var/run/php-fpm/*.sock; do
  # Links of `update-alternatives` lead to one that is listed itself.
  [ -S "$socket" ] && [ ! -L "$socket" ] && [ -w "$socket" ] && say fpm "$socket"
done
n=0
for file in "$top"/etc/nginx/sites-enabled/* "$top"/etc/nginx/conf.d/*.conf "$top"/etc/apache2/sites-enabled/*.conf \
  "$top"/etc/httpd/conf.d/*.conf; do
  [ -f "$file" ] && [ -r "$file" ] && [ $((n = n + 1)) -le 100 ] || continue
  say config "$file"
  say text "$(head -c 60000 "$file")"
done
say looked yes
