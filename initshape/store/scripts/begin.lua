-- KEYS: the job's keys. ARGV: clock, id, fence, lease (ms), rest (jobs of the batch after this one)
-- The turn of a job that was claimed with others. -> held (1, 0), cancel (1, 0), yields (1: give this one and the rest
-- back, for somebody else comes first), spare (so many of the rest are for idle workers)
local id, fence, lease, rest = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local job = K.job .. id
if not holds(id, fence) then return {0, 0, 0, 0} end
local seen = call('HMGET', job, 'status', 'queue', 'line', 'unbegun')
if seen[1] == 'cancelling' then return {1, 1, 0, 0} end
local queue = seen[2]
if seen[4] and crowded(queue, seen[3]) then return {1, 0, 1, 0} end
call('ZADD', K.leases, NOW + lease, id)
if seen[4] then
  call('HDEL', job, 'unbegun', 'progress')
  call('HSET', job, 'started', NOW, 'updated', NOW)
  announce(id, 'progress', '{"stage":"begun","fraction":0}')
end
if rest == 0 or call('ZCARD', K.waiting .. queue) > 0 then return {1, 0, 0, 0} end
local busy, count = {}, 0
for _, other in ipairs(call('ZRANGE', K.leases, 0, -1)) do
  local held = call('HMGET', K.job .. other, 'worker', 'queue')
  if held[1] and held[2] == queue and not busy[held[1]] then
    busy[held[1]] = true
    count = count + 1
  end
end
local idle = math.max(0, slots(queue) - count)
return {1, 0, 0, math.ceil(rest * idle / (idle + 1))}
