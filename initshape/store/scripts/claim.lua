-- KEYS: none can be known beforehand. ARGV: clock, queue, worker, limit, lease (ms), seconds (-1: any number)
-- The next line's first job, and up to limit - 1 more jobs of that line with the same batch key, if nobody else waits:
-- no more than are expected to take the seconds together, and half of a worker's share of all that wait. These have
-- not begun; `begin` says when.
-- -> for each job: id, fence, attempt, document, max_seconds, the request that queued it
local queue, worker, limit, lease = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local budget = tonumber(ARGV[6])
local lines = K.lines .. queue

local function take(id, name, claimed)
  local job = K.job .. id
  dequeue(id, queue)
  leave_line(id, queue, name)
  if call('HGET', job, 'status') ~= 'queued' then return end
  local fence = call('HINCRBY', K.numbers, 'fence', 1)
  local attempt = call('HINCRBY', job, 'attempt', 1)
  call('HSET', job, 'fence', fence, 'worker', worker, 'started', NOW)
  call('HSET', job, 'line', name)
  if #claimed > 0 then call('HSET', job, 'unbegun', 1, 'progress', '{"stage":"waiting in a batch","fraction":0}') end
  call('ZADD', K.leases, NOW + lease, id)
  move(id, 'running')
  local seen = call('HMGET', job, 'document', 'max_seconds', 'request')
  for _, value in ipairs({id, fence, attempt, seen[1], seen[2], seen[3] or ''}) do claimed[#claimed + 1] = value end
end

while true do
  local first = call('ZRANGE', lines, 0, 0, 'WITHSCORES')
  if #first == 0 then return {} end
  local name, line = first[1], K.line .. queue .. ':' .. first[1]
  local tag = tonumber(first[2]) - line_score(name, 0)
  if crowded(queue, name) then limit = 1 end
  limit = math.min(limit, math.max(1, math.floor(call('ZCARD', K.waiting .. queue) / (2 * math.max(1, slots(queue))))))
  local ids = call('ZRANGE', line, 0, limit == 1 and 0 or limit * 8 - 1)
  if #ids == 0 then call('ZREM', lines, name) end
  local claimed, batch, total = {}, nil, 0
  for position, id in ipairs(ids) do
    if #claimed >= 6 * limit then break end
    if call('EXISTS', K.job .. id) == 0 then -- nothing but a record makes a job
      call('ZREM', line, id)
      call('ZREM', K.waiting .. queue, id)
    else
      local seen = call('HMGET', K.job .. id, 'batch', 'expected')
      local own, expected = seen[1], tonumber(seen[2] or '0')
      if not batch then batch = own end
      if #claimed == 0 or (batch ~= '' and own == batch) then
        if #claimed > 0 and budget >= 0 and total + expected > budget then break end
        take(id, name, claimed)
        total = total + expected
      end
    end
  end
  if #claimed > 0 then
    local cost = #claimed / 6
    tally('claimed', cost)
    call('HSET', K.shares .. queue, '=' .. priority_of(name), tag, name, tag + cost)
    if call('ZSCORE', lines, name) then call('ZADD', lines, line_score(name, tag + cost), name) end
    return claimed
  end
end
