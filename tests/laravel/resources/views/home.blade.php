release {{ basename(base_path()) }} code {{ $version }} view VERSION end
