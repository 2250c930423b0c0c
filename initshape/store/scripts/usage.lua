-- KEYS: none. ARGV: clock, user -> active jobs, stored bytes
tidy(ARGV[2])
return {held(ARGV[2])}
