-- KEYS: part. ARGV: clock, digest, text. Stores a large section of experiments.
call('SET', KEYS[1], ARGV[3])
prolong('part', ARGV[2], T.part)
return 1
