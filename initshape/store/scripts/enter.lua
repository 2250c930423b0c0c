-- KEYS: token, tokens. ARGV: clock, digest, record (flat JSON object), only_first (1: only where no token exists),
-- lifetime in seconds (0: no end), actor, object of the audit
-- -> 1 where it was stored
if ARGV[4] == '1' and call('EXISTS', KEYS[2]) == 1 then return 0 end
for field, value in pairs(cjson.decode(ARGV[3])) do call('HSET', KEYS[1], field, value) end
local seconds = tonumber(ARGV[5])
if seconds > 0 then
  call('HSET', KEYS[1], 'expires', NOW + seconds * 1000)
  call('EXPIRE', KEYS[1], seconds)
end
call('SADD', KEYS[2], ARGV[2])
record(ARGV[6], 'create_token', ARGV[7], 'created')
return 1
