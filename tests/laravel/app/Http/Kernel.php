<?php
namespace App\Http;
class Kernel extends \Illuminate\Foundation\Http\Kernel {
    protected $middlewareGroups = ['web' => [
        \Illuminate\Cookie\Middleware\AddQueuedCookiesToResponse::class,
        \Illuminate\Session\Middleware\StartSession::class,
        \Illuminate\Routing\Middleware\SubstituteBindings::class,
    ]];
}
