-- KEYS: waiting, workers, rung of the queue, the broker's list. ARGV: clock, period (ms; 0: always answer)
-- How many rings are missing: as many as there are jobs or workers, less what lies in the broker's list already. A long
-- queue with busy workers is therefore not rung again and again.
local waiting, workers, rung, broker = unpack(KEYS)
call('ZREMRANGEBYSCORE', workers, '-inf', '(' .. string.format('%.0f', NOW))
local jobs = call('ZCARD', waiting)
if jobs == 0 then return 0 end
local period = tonumber(ARGV[2])
if period > 0 and not call('SET', rung, '1', 'NX', 'PX', period) then return 0 end
return math.max(0, math.min(jobs, math.max(1, call('ZCARD', workers))) - call('LLEN', broker))
