-- Who may ask for how much, what everybody holds, and who did what: functions shared by every script.

-- A token bucket in one number, the time at which it will be full: steps of 1000 / rate milliseconds, `burst` of them at
-- once. -> 0 where one was taken, else milliseconds until there is one. rate 0: no limit.
local function take_credit(user, kind, rate, burst)
  if rate <= 0 then return 0 end
  local place, step = K.bucket .. kind .. ':' .. user, 1000 / rate
  local full = math.max(NOW, tonumber(call('GET', place) or '0'))
  local wait = full - NOW - (burst - 1) * step
  if wait > 0 then return math.ceil(wait) end
  call('SET', place, string.format('%.3f', full + step), 'PX', math.max(1, math.ceil(full + step - NOW)))
  return 0
end

-- Whether a token holds now. Its last use is written once a minute at most: reads are to stay reads.
local function token_holds(digest)
  local seen = call('HMGET', K.token .. digest, 'user', 'used')
  if not seen[1] then return false end
  if NOW - tonumber(seen[2] or '0') >= T.use * 1000 then call('HSET', K.token .. digest, 'used', NOW) end
  return true
end

-- active:{user} holds the jobs that wait or run for a user, stored:{user} what is kept for one, in bytes, and the total.
local function release(user, place)
  local bytes = call('HGET', K.stored .. user, place)
  if not bytes then return end
  call('HDEL', K.stored .. user, place)
  if call('HINCRBY', K.stored .. user, 'total', -bytes) <= 0 then call('UNLINK', K.stored .. user) end
end

local function charge(user, place, bytes)
  release(user, place)
  if bytes <= 0 then return end
  call('HSET', K.stored .. user, place, bytes)
  call('HINCRBY', K.stored .. user, 'total', bytes)
end

local function weight(place) -- bytes of a hash's values
  local bytes = 0
  for _, field in ipairs(call('HKEYS', place)) do bytes = bytes + call('HSTRLEN', place, field) end
  return bytes
end

-- Users who still want it pay for what is stored; `from` does so no longer.
local function pass_on(place, from, heir)
  local bytes = call('HGET', K.stored .. from, place)
  if not bytes then return end
  release(from, place)
  charge(heir, place, tonumber(bytes))
end

local function vacate(id) -- the job is no longer active for anybody
  for _, user in ipairs(call('HKEYS', K.submitters .. id)) do call('SREM', K.active .. user, id) end
end

-- What has expired meanwhile, or was reserved and never submitted, is forgotten here; every ten seconds at most.
local function tidy(user)
  if not call('SET', K.tidied .. user, 1, 'NX', 'PX', 10000) then return end
  for _, id in ipairs(call('SMEMBERS', K.active .. user)) do
    local status = call('HGET', K.job .. id, 'status')
    local live = status == 'queued' or status == 'running' or status == 'cancelling'
    if not live or call('HEXISTS', K.submitters .. id, user) == 0 then call('SREM', K.active .. user, id) end
  end
  for _, place in ipairs(call('HKEYS', K.stored .. user)) do
    if place ~= 'total' and call('EXISTS', place) == 0 then release(user, place) end
  end
end

local function held(user) -- active jobs, stored bytes
  return call('SCARD', K.active .. user), tonumber(call('HGET', K.stored .. user, 'total') or '0')
end

-- Whether `new` jobs and `bytes` more would exceed a limit (0: none). -> '' or crowded or stuffed, and what is held
local function beyond(user, most_active, new, most_stored, bytes)
  for attempt = 1, 2 do
    local active, stored = held(user)
    local crowded = most_active > 0 and new > 0 and active + new > most_active
    local stuffed = most_stored > 0 and stored + bytes >= most_stored
    if not crowded and not stuffed then return '', 0 end
    if attempt == 2 then return crowded and 'crowded' or 'stuffed', crowded and active or stored end
    tidy(user)
  end
end

-- One line of the audit. actor: '' (nobody asks: no line), or how many lines to keep, a space, and who it was (JSON).
local function record(actor, action, object, outcome)
  if actor == '' then return end
  local most, who = string.match(actor, '^(%d+) (.*)$')
  call('XADD', K.audit, 'MAXLEN', '~', most, '*', 'who', who, 'action', action, 'object', object, 'outcome', outcome)
end

