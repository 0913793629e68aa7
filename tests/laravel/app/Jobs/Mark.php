<?php
namespace App\Jobs;

/** Writes down which release worked it off. */
class Mark implements \Illuminate\Contracts\Queue\ShouldQueue
{
    use \Illuminate\Bus\Queueable, \Illuminate\Queue\InteractsWithQueue;

    public function handle()
    {
        file_put_contents(storage_path('app/marks'), \App\Http\Page::VERSION . "\n", FILE_APPEND);
    }
}
