-- KEYS: none. ARGV: clock -> JSON for /metrics: waiting, slots, running, held and lines by priority (places, age of the
-- oldest in ms) of every queue; number of jobs by status. A job of several users has several places.
local MOST = 2000
local queues = {}
for _, queue in ipairs({'cpu', 'gpu'}) do
  local lines = {}
  for _, name in ipairs(call('ZRANGE', K.lines .. queue, 0, MOST - 1)) do
    local line, priority = K.line .. queue .. ':' .. name, tostring(priority_of(name))
    local first = call('ZRANGE', line, 0, 0)[1]
    local since = first and tonumber(call('HGET', K.job .. first, 'queued') or '') or NOW
    local seen = lines[priority] or {0, 0}
    lines[priority] = {seen[1] + call('ZCARD', line), math.max(seen[2], NOW - since)}
  end
  queues[queue] = {waiting = call('ZCARD', K.waiting .. queue), slots = slots(queue), running = 0, held = 0, lines = lines}
end
for _, id in ipairs(call('ZRANGE', K.leases, 0, 2 * MOST)) do
  local seen = call('HMGET', K.job .. id, 'queue', 'unbegun')
  local queue = queues[seen[1] or '']
  if queue then
    local kind = seen[2] and 'held' or 'running'
    queue[kind] = queue[kind] + 1
  end
end
local jobs = {}
for _, status in ipairs({'queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled'}) do
  jobs[status] = call('ZCARD', K.status .. status)
end
return cjson.encode({queues = queues, jobs = jobs})
