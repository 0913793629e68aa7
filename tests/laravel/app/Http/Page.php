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

    public function slow()
    {
        sleep(1);
        return response('slow');
    }

    /** How often a visitor has come. */
    public function count()
    {
        return response(session()->increment('count'));
    }

    public function mark()
    {
        app(\Illuminate\Contracts\Bus\Dispatcher::class)->dispatch(new \App\Jobs\Mark);
        return response('marked');
    }

    /** What a visitor has uploaded. */
    public function keep($name)
    {
        file_put_contents(storage_path("app/public/$name"), $name);
        return response('kept');
    }
}
