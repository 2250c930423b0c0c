-- KEYS: the job's keys. ARGV: clock, id -> 1 where a result is stored
touch(ARGV[2])
return call('EXISTS', K.result .. ARGV[2])
