-- KEYS: sweep. ARGV: clock, id, user, url. All cells have been submitted: from now on the last one may be the last.
call('HSET', KEYS[1], 'hooked', 1, 'webhook', ARGV[4], 'hook_user', ARGV[3])
tell_sweep(ARGV[2])
return 1
