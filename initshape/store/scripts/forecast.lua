-- KEYS: the job's keys. ARGV: clock, id
-- What is known about when an active job will end: now, slots of its queue, jobs that run there (begun, claimed with
-- others and not begun), whether this one has begun (1, 0), recent milliseconds of a job of its shape and of any job
-- of its queue (-1: none). Empty for a job that is not active.
local id = ARGV[2]
local seen = call('HMGET', K.job .. id, 'status', 'queue', 'batch', 'unbegun')
if seen[1] ~= 'queued' and seen[1] ~= 'running' then return {} end
local queue, begun, unbegun = seen[2], 0, 0
for _, other in ipairs(call('ZRANGE', K.leases, 0, 999)) do
  local held = call('HMGET', K.job .. other, 'queue', 'unbegun')
  if held[1] == queue then
    if held[2] then unbegun = unbegun + 1 else begun = begun + 1 end
  end
end
local function recent(place) return tonumber(call('GET', place) or '-1') end
local shape = seen[3] and seen[3] ~= '' and recent(K.pace .. queue .. ':' .. seen[3]) or -1
return {NOW, slots(queue), begun, unbegun, seen[4] and 0 or 1, shape, recent(K.pace .. queue .. ':')}
