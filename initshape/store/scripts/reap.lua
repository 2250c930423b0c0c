-- KEYS: leases, pulse. ARGV: clock, lease (ms), gap (ms), poison limit, error (JSON)
-- Expired leases go back to the queue. When nobody reaped for longer than the gap, Redis or everybody was away: then
-- the holders get one lease of time to renew before anything is taken from them.
-- -> waited (1: grace time), number of leases taken
local lease, gap, poison, problem = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local seen = call('HMGET', K.pulse, 'last', 'grace')
local last, grace = tonumber(seen[1] or '-1'), tonumber(seen[2] or '0')
if last < 0 or NOW - last > gap then grace = NOW + lease end
call('HSET', K.pulse, 'last', NOW, 'grace', grace)
if NOW < grace then return {1, 0} end
local expired = call('ZRANGEBYSCORE', K.leases, '-inf', '(' .. string.format('%.0f', NOW), 'LIMIT', 0, 100)
for _, id in ipairs(expired) do
  local status = call('HGET', K.job .. id, 'status')
  if status == 'running' or status == 'cancelling' then
    tally('lease lost')
    give_up(id, 'lost', problem, poison)
  else
    call('ZREM', K.leases, id)
  end
end
return {0, #expired}
