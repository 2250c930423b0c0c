-- KEYS: none can be known beforehand. ARGV: clock, queue, worker, limit, lease (ms)
-- The next line's first job, and up to limit - 1 more jobs of that line with the same batch key.
-- -> for each job: id, fence, attempt, document, max_seconds
local queue, worker, limit, lease = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local lines = K.lines .. queue

local function take(id, name, claimed)
  local job = K.job .. id
  dequeue(id, queue)
  leave_line(id, queue, name)
  if call('HGET', job, 'status') ~= 'queued' then return end
  local fence = call('HINCRBY', K.numbers, 'fence', 1)
  local attempt = call('HINCRBY', job, 'attempt', 1)
  call('HSET', job, 'fence', fence, 'worker', worker, 'started', NOW)
  call('ZADD', K.leases, NOW + lease, id)
  move(id, 'running')
  local seen = call('HMGET', job, 'document', 'max_seconds')
  for _, value in ipairs({id, fence, attempt, seen[1], seen[2]}) do claimed[#claimed + 1] = value end
end

while true do
  local first = call('ZRANGE', lines, 0, 0, 'WITHSCORES')
  if #first == 0 then return {} end
  local name, line = first[1], K.line .. queue .. ':' .. first[1]
  local tag = tonumber(first[2]) - line_score(name, 0)
  local ids = call('ZRANGE', line, 0, limit == 1 and 0 or limit * 8 - 1)
  if #ids == 0 then call('ZREM', lines, name) end
  local claimed, batch = {}, nil
  for position, id in ipairs(ids) do
    if #claimed >= 5 * limit then break end
    if call('EXISTS', K.job .. id) == 0 then -- nothing but a record makes a job
      call('ZREM', line, id)
      call('ZREM', K.waiting .. queue, id)
    else
      local own = call('HGET', K.job .. id, 'batch')
      if not batch then batch = own end
      if position == 1 or (batch ~= '' and own == batch) or #claimed == 0 then take(id, name, claimed) end
    end
  end
  if #claimed > 0 then
    local cost = #claimed / 5
    call('HSET', K.shares .. queue, '=' .. priority_of(name), tag, name, tag + cost)
    if call('ZSCORE', lines, name) then call('ZADD', lines, line_score(name, tag + cost), name) end
    return claimed
  end
end
