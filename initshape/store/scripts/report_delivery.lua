-- KEYS: outbox, delivery, deliveries of its subject. ARGV: clock, number, tries, again (ms; -1: it is over), entry (JSON, or
-- empty: not yet time, and no attempt) -> 1 where it was taken down
local number, tries, again, entry = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
if call('HGET', KEYS[2], 'tries') ~= tries then return 0 end -- somebody else has taken it meanwhile
if entry ~= '' then
  call('RPUSH', KEYS[3], entry)
  call('LTRIM', KEYS[3], -20, -1)
  call('EXPIRE', KEYS[3], T.record)
else
  call('HINCRBY', KEYS[2], 'tries', -1)
end
if again < 0 then
  call('ZREM', KEYS[1], number)
  call('UNLINK', KEYS[2])
else
  call('ZADD', KEYS[1], NOW + again, number)
end
return 1
