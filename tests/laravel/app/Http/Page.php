<?php
namespace App\Http;

class Page extends \Illuminate\Routing\Controller
{
    const VERSION = 'VERSION';

    public function up()
    {
        return response('up')->header('X-Release', basename(base_path()));
    }

    public function home()
    {
        return response()->view('home', ['version' => self::VERSION])->header('X-Release', basename(base_path()));
    }
}
