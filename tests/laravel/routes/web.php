<?php
use Illuminate\Support\Facades\Route;
Route::get('/up', [App\Http\Page::class, 'up']);
Route::get('/', [App\Http\Page::class, 'home']);
