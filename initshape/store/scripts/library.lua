-- The life cycle of jobs: functions shared by every script.

-- An old process that lives on beside a newer server must not touch what it would misread.
local written = tonumber(call('GET', K.format) or '0')
if written > T.format then
  return redis.error_reply('FORMAT The data have format ' .. written .. '; this release knows ' .. T.format
    .. ': install the release that wrote them, or a newer one.')
end

-- Counters for /metrics; the names are those of tallies.py.
local function tally(name, by) call('HINCRBY', K.tallies, name, by or 1) end

-- Fair shares: start-time fair queueing. A line is one user at one priority; its tag says when its turn comes. Serving
-- a job raises the tag by one. A line that comes back starts at the virtual time, so absence saves nothing up.
-- The priority is the high part of the score: (10 - priority) * 2^44 + tag.
local LEVEL = 17592186044416

local function line_name(priority, user) return priority .. ':' .. user end

local function priority_of(name) return tonumber(string.match(name, '^(-?%d+):')) end

local function line_score(name, tag) return (10 - priority_of(name)) * LEVEL + tag end

local function open_line(queue, name)
  if call('ZSCORE', K.lines .. queue, name) then return end
  local now = tonumber(call('HGET', K.shares .. queue, '=' .. priority_of(name)) or '0')
  local own = tonumber(call('HGET', K.shares .. queue, name) or '0')
  call('ZADD', K.lines .. queue, line_score(name, math.max(now, own)), name)
end

local function leave_line(id, queue, name)
  local line = K.line .. queue .. ':' .. name
  call('ZREM', line, id)
  if call('EXISTS', line) == 0 then call('ZREM', K.lines .. queue, name) end
end

-- Whether anybody else waits who is not to wait longer than for one job of this line. The first two lines tell.
local function crowded(queue, name)
  for _, other in ipairs(call('ZRANGE', K.lines .. queue, 0, 1)) do
    if other ~= name and priority_of(other) >= priority_of(name) then return true end
  end
  return false
end

-- A job that was claimed and never begun is not charged.
local function refund(id, queue)
  local name = call('HGET', K.job .. id, 'line')
  if not name then return end
  local now = tonumber(call('HGET', K.shares .. queue, '=' .. priority_of(name)) or '0')
  local tag = math.max(now, tonumber(call('HGET', K.shares .. queue, name) or '0') - 1)
  call('HSET', K.shares .. queue, name, tag)
  if call('ZSCORE', K.lines .. queue, name) then call('ZADD', K.lines .. queue, line_score(name, tag), name) end
end

local function slots(queue) -- child processes that may claim
  return call('ZCOUNT', K.workers .. queue, string.format('%.0f', NOW), '+inf')
end

-- name of every line in which a submitter of the job waits
local function lines_of(id)
  local names, all = {}, call('HGETALL', K.submitters .. id)
  for i = 1, #all, 2 do
    names[#names + 1] = line_name(cjson.decode(all[i + 1]).priority, all[i])
  end
  if #names == 0 then names[1] = line_name(0, call('HGET', K.job .. id, 'owner')) end
  return names
end

local function enqueue(id, queue, order)
  call('ZADD', K.waiting .. queue, order, id)
  for _, name in ipairs(lines_of(id)) do
    call('ZADD', K.line .. queue .. ':' .. name, order, id)
    open_line(queue, name)
  end
  call('RPUSH', K.bell .. queue, 1)
  call('LTRIM', K.bell .. queue, 0, 63) -- more workers need not come at once: each claims until nothing waits
end

local function dequeue(id, queue)
  call('ZREM', K.waiting .. queue, id)
  for _, name in ipairs(lines_of(id)) do leave_line(id, queue, name) end
  if call('EXISTS', K.waiting .. queue) == 0 then call('UNLINK', K.bell .. queue) end
end

local function announce(id, kind, data)
  call('XADD', K.stream .. id, 'MAXLEN', '~', 512, '*', 'kind', kind, 'at', NOW, 'data', data)
end

-- Status, its index, the event stream and the channel move together. `quiet`: a job that was never there before. Nobody
-- follows one, and a sweep of 10,000 would make 10,000 streams and messages.
local function move(id, status, quiet)
  local job = K.job .. id
  local seen = call('HMGET', job, 'status', 'number', 'attempt')
  if seen[1] then call('ZREM', K.status .. seen[1], id) end
  call('ZADD', K.status .. status, seen[2], id)
  call('HSET', job, 'status', status, 'updated', NOW)
  if quiet then return end
  local data = cjson.encode({status = status, attempt = tonumber(seen[3])})
  announce(id, 'status', data)
  call('PUBLISH', K.events, cjson.encode({id = id, kind = 'status', status = status}))
end

local function keep(id) -- an active job never expires
  for _, family in ipairs({K.job, K.submitters, K.attempts, K.stream}) do call('PERSIST', family .. id) end
end

-- How long jobs take, of late: each new one counts a quarter.
local function learn(id, class)
  local seen = call('HMGET', K.job .. id, 'queue', 'batch', 'started')
  local places = {K.pace .. seen[1] .. ':'}
  if seen[2] and seen[2] ~= '' then places[2] = places[1] .. seen[2] end
  for _, place in ipairs(places) do
    local old, new = tonumber(call('GET', place) or ''), NOW - tonumber(seen[3])
    call('SET', place, old and old + (new - old) / 4 or new, 'EX', T.pace)
  end
  if class == '' then return end
  local took = math.max(1, NOW - tonumber(seen[3]))
  tally('took ' .. class .. ' ' .. math.max(0, math.min(14, math.ceil(2 * math.log10(took) - 1e-9)))) -- to 10^(k/2) ms
  tally('time ' .. class, took)
end

-- What many jobs share (a data set, a large section, an upload) stays for as long as a pinned job needs it.
local function prolong(family, name, seconds)
  local place = K[family] .. name
  if call('EXISTS', K.holders .. family .. ':' .. name) == 1 then
    call('PERSIST', place)
  else
    call('EXPIRE', place, seconds)
  end
end

local function prolong_upload(name)
  prolong('given', name, T.part)
  if call('TTL', K.given .. name) == -1 then call('PERSIST', K.uses .. name) else call('EXPIRE', K.uses .. name, T.part) end
end

-- What an experiment cannot be computed again without.
local function prolong_sources(id)
  local seen = call('HMGET', K.job .. id, 'parts', 'uploads')
  for part in string.gmatch(seen[1] or '', '[^,]+') do prolong('part', part, T.part) end
  for upload in string.gmatch(seen[2] or '', '[^,]+') do prolong_upload(upload) end
end

local function let_expire(id) -- unless somebody has pinned it
  local pinned = call('HEXISTS', K.job .. id, 'pinned') == 1
  for _, family in ipairs({K.job, K.submitters, K.attempts}) do
    if pinned then call('PERSIST', family .. id) else call('EXPIRE', family .. id, T.record) end
  end
  call('EXPIRE', K.stream .. id, T.stream)
end

local function ended(id)
  local status = call('HGET', K.job .. id, 'status') -- active while a rerun computes the next result
  return status == 'succeeded' or status == 'failed' or status == 'cancelled'
end

-- A read or a new submission prolongs the result, what it refers to, and the record that must outlive it.
local function touch(id)
  local result = K.result .. id
  local left = call('TTL', result)
  if left < 0 or left > T.result - T.touch then return end
  call('EXPIRE', result, T.result)
  if ended(id) then let_expire(id) end
  local dataset = call('HGET', result, 'dataset')
  if dataset and dataset ~= '' then prolong('dataset', dataset, T.result) end
  prolong_sources(id)
end

-- Enters or strikes out a pinned job in the lists of those that need what it shares with others.
local function hold(id, pinned)
  local change = pinned and 'SADD' or 'SREM'
  local dataset = call('HGET', K.result .. id, 'dataset')
  if dataset and dataset ~= '' then
    call(change, K.holders .. 'dataset:' .. dataset, id)
    prolong('dataset', dataset, T.result)
  end
  local seen = call('HMGET', K.job .. id, 'parts', 'uploads')
  for part in string.gmatch(seen[1] or '', '[^,]+') do call(change, K.holders .. 'part:' .. part, id) end
  for upload in string.gmatch(seen[2] or '', '[^,]+') do call(change, K.holders .. 'given:' .. upload, id) end
  prolong_sources(id)
end

-- After pins have come or gone.
local function settle_pins(id)
  local job, pinned = K.job .. id, call('EXISTS', K.pins .. id) == 1
  if pinned == (call('HEXISTS', job, 'pinned') == 1) then return end
  if pinned then call('HSET', job, 'pinned', 1) else call('HDEL', job, 'pinned') end
  hold(id, pinned)
  if pinned then call('PERSIST', K.result .. id) else call('EXPIRE', K.result .. id, T.result) end
  if ended(id) then let_expire(id) end
end

local function unpin(id, user) -- no user: all of them, but not the kept sweeps
  for _, who in ipairs(call('SMEMBERS', K.pins .. id)) do
    if who == 'user:' .. (user or '') or (not user and string.sub(who, 1, 5) == 'user:') then
      call('SREM', K.pins .. id, who)
    end
  end
  settle_pins(id)
end

local function erase(id)
  local job = K.job .. id
  vacate(id)
  if call('UNLINK', K.pins .. id) == 1 then settle_pins(id) end
  local seen = call('HMGET', job, 'status', 'queue', 'payer')
  if seen[3] then release(seen[3], K.result .. id) end
  if seen[1] then call('ZREM', K.status .. seen[1], id) end
  if seen[2] then call('ZREM', K.waiting .. seen[2], id) end
  call('ZREM', K.index, id)
  call('ZREM', K.leases, id)
  for _, family in ipairs({K.job, K.submitters, K.attempts, K.stream, K.result, K.deliveries, K.checkpoint}) do
    call('UNLINK', family .. id)
  end
  call('PUBLISH', K.events, cjson.encode({id = id, kind = 'status', status = 'deleted'}))
end

-- The running attempt is over: `how` says in what way, and goes into the history.
local function close_attempt(id, how)
  local job = K.job .. id
  local seen = call('HMGET', job, 'attempt', 'fence', 'worker', 'started')
  tally('attempt ' .. how)
  if how ~= 'finished' then
    local words = 'attempt ' .. seen[1] .. ' ended without a result: ' .. (string.gsub(how, '_', ' '))
    announce(id, 'log', cjson.encode({message = words, attempt = tonumber(seen[1]), worker = seen[3], how = how}))
  end
  call('RPUSH', K.attempts .. id, cjson.encode({
    attempt = tonumber(seen[1]), fence = tonumber(seen[2]), worker = seen[3], started = tonumber(seen[4]),
    ended = NOW, how = how}))
  call('LTRIM', K.attempts .. id, -50, -1)
  call('ZREM', K.leases, id)
  call('HDEL', job, 'worker', 'stopping', 'unbegun', 'line')
end

-- A delivery that is due now (webhooks.py).
local function post(subject, user, url, status, attempt, outcome)
  local number = call('HINCRBY', K.numbers, 'delivery', 1)
  call('HSET', K.delivery .. number, 'subject', subject, 'user', user, 'url', url, 'status', status, 'attempt', attempt,
    'outcome', outcome or '', 'at', NOW, 'tries', 0)
  call('ZADD', K.outbox, NOW, number)
end

local function tell_sweep(id) -- once all of its cells have been submitted, and have ended
  local seen = call('HMGET', K.sweep .. id, 'hooked', 'webhook', 'hook_user')
  if not seen[1] or call('EXISTS', K.unsettled .. id) == 1 then return end
  call('HDEL', K.sweep .. id, 'hooked', 'webhook', 'hook_user')
  post(id, seen[3], seen[2], '', 0, '')
end

-- Whoever wanted to hear of the end of a job hears of it, once a submission.
local function tell(id)
  local hooks = call('HGETALL', K.hooks .. id)
  if #hooks == 0 then return end
  call('UNLINK', K.hooks .. id)
  local seen = call('HMGET', K.job .. id, 'status', 'attempt', 'outcome')
  for k = 1, #hooks, 2 do
    local kind, name = string.match(hooks[k], '^(%a+):(.*)$')
    if kind == 'user' then
      post(id, name, hooks[k + 1], seen[1], seen[2], seen[3])
    else
      call('SREM', K.unsettled .. name, id)
      tell_sweep(name)
    end
  end
end

local function settle(id, status) -- into a state in which nothing happens any more
  call('UNLINK', K.checkpoint .. id)
  call('HSET', K.job .. id, 'finished', NOW)
  vacate(id)
  move(id, status)
  tell(id)
  let_expire(id)
  if call('HGET', K.job .. id, 'doomed') == '1' then erase(id) end
end

local function requeue(id) -- the place in the queue is the old one
  tally('requeued')
  local seen = call('HMGET', K.job .. id, 'queue', 'order')
  call('HSET', K.job .. id, 'queued', NOW)
  call('HDEL', K.job .. id, 'progress')
  move(id, 'queued')
  enqueue(id, seen[1], seen[2])
end

-- An attempt ended without a result. how: failed (with an error), stopped, handed_over, lost. One that waited for its
-- turn in a batch is returned: what ended its worker was another job.
local function give_up(id, how, problem, poison)
  local job = K.job .. id
  local seen = call('HMGET', job, 'status', 'queue', 'unbegun')
  local status = seen[1]
  if seen[3] then
    refund(id, seen[2])
    if how == 'lost' or how == 'handed_over' then how = 'returned' end
  end
  close_attempt(id, how)
  if how == 'failed' then
    call('HSET', job, 'error', problem)
    tally('failed ' .. cjson.decode(problem).code)
    settle(id, 'failed')
  elseif status == 'cancelling' then
    settle(id, 'cancelled')
  elseif how == 'lost' and call('HINCRBY', job, 'lost', 1) >= poison then
    call('HSET', job, 'error', problem)
    tally('failed ' .. cjson.decode(problem).code)
    settle(id, 'failed')
  else
    requeue(id)
  end
end

local function holds(id, fence) -- only the holder of the current fence may say anything about a running job
  local seen = call('HMGET', K.job .. id, 'status', 'fence')
  return (seen[1] == 'running' or seen[1] == 'cancelling') and seen[2] == fence
end
