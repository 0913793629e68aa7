<?php
// Debian's framework, and this application's own classes.
error_reporting(E_ALL & ~E_DEPRECATED);
require '/usr/share/php/Illuminate/autoload.php';
spl_autoload_register(function ($class) {
    $file = __DIR__ . '/../app/' . str_replace('\\', '/', substr($class, 4)) . '.php';
    if (strncmp($class, 'App\\', 4) === 0 && is_file($file)) { require $file; }
});
