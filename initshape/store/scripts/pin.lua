-- KEYS: the job's keys. ARGV: clock, id, who (user:..., sweep:...), on (1, 0) -> 1 where the job is known
local id, who, on = ARGV[2], ARGV[3], ARGV[4] == '1'
if call('EXISTS', K.job .. id) == 0 then return 0 end
call(on and 'SADD' or 'SREM', K.pins .. id, who)
settle_pins(id)
return 1
