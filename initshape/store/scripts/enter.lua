-- KEYS: token, tokens. ARGV: clock, digest, record (flat JSON object), only_first (1: only where no token exists)
-- -> 1 where it was stored
if ARGV[4] == '1' and call('EXISTS', KEYS[2]) == 1 then return 0 end
for field, value in pairs(cjson.decode(ARGV[3])) do call('HSET', KEYS[1], field, value) end
call('SADD', KEYS[2], ARGV[2])
return 1
