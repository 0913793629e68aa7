<?php return ['driver' => 'bcrypt'];
