<?php
use Illuminate\Support\Facades\Route;

Route::get('/up', [App\Http\Page::class, 'up']);
Route::get('/', [App\Http\Page::class, 'home']);
Route::get('/slow', [App\Http\Page::class, 'slow']);
Route::get('/count', [App\Http\Page::class, 'count']);
Route::get('/mark', [App\Http\Page::class, 'mark']);
Route::get('/keep/{name}', [App\Http\Page::class, 'keep']);
