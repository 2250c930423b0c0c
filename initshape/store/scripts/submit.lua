-- KEYS: the job's keys.
-- ARGV: clock, id, document, parts, queue, batch, user, submitter (JSON with priority), tags (by commas), max_seconds,
--   mode, expected seconds, uploads that the document names, id of the HTTP request, who is to hear of the end (user:...,
--   sweep:..., or empty), where, and how it is admitted: token digest ('': none), writes a second, burst, most active
--   jobs, most stored bytes (0: any), actor, the broker's list ('': say nothing of rings)
-- mode: submit; rerun (no document: keep the stored one, and compute again what is known)
-- -> answer (known, joined, queued, missing; unknown: no such token, slow, crowded, stuffed: nothing was done), status,
--   attempt, number (slow: milliseconds to wait; crowded, stuffed: what is held; queued: 1 where a ring is due)
local id, document, parts, queue, batch, user, submitter = unpack(ARGV, 2, 8)
local tags, seconds, mode, expected, uploads, request, hook, url = unpack(ARGV, 9, 16)
local digest, rate, burst, most_active, most_stored, actor, broker = unpack(ARGV, 17, 23)
local job = K.job .. id
if digest ~= '' then
  if not token_holds(digest) then return {'unknown', '', 0, 0} end
  local wait = take_credit(user, 'write', tonumber(rate), tonumber(burst))
  if wait > 0 then return {'slow', '', 0, wait} end
end
local seen = call('HMGET', job, 'status', 'attempt', 'known', 'queue', 'order', 'max_seconds', 'number')
local status, attempt = seen[1], tonumber(seen[2] or '0')

if not status and mode == 'rerun' then return {'missing', '', 0, 0} end

local answer
if not status then
  answer = 'queued'
elseif status == 'queued' or status == 'running' or status == 'cancelling' then
  answer = 'joined'
elseif status == 'succeeded' and seen[3] == '1' and mode == 'submit' and call('EXISTS', K.result .. id) == 1 then
  answer = 'known'
else
  answer = 'queued'
end

if answer ~= 'known' then
  local new = call('SISMEMBER', K.active .. user, id) == 1 and 0 or 1
  local bound = answer == 'queued' and tonumber(most_stored) or 0
  local excess, number = beyond(user, tonumber(most_active), new, bound, 0)
  if excess ~= '' then
    record(actor, mode, id, excess)
    return {excess, status or '', attempt, number}
  end
  call('SADD', K.active .. user, id)
end
record(actor, mode, id, answer)
tally('submitted ' .. answer)

if not status then
  seen[7] = call('HINCRBY', K.numbers, 'number', 1)
  call('HSET', job, 'number', seen[7], 'attempt', 0, 'fence', 0, 'created', NOW, 'owner', user)
  call('ZADD', K.index, seen[7], id)
end

-- the line depends on the priority, which a second submission of the same user may change
if status == 'queued' then dequeue(id, seen[4]) end
call('HSET', K.submitters .. id, user, submitter)
call('ZADD', K.owner .. user, seen[7], id)
for tag in string.gmatch(tags, '[^,]+') do call('ZADD', K.tag .. tag, seen[7], id) end

if hook ~= '' then
  call('HSET', K.hooks .. id, hook, url)
  if string.sub(hook, 1, 6) == 'sweep:' then call('SADD', K.unsettled .. string.sub(hook, 7), id) end
  if answer == 'known' then tell(id) end
end

if answer ~= 'queued' then prolong_sources(id) end -- they may have been sent again, with a lifetime
if answer == 'known' then
  touch(id)
  if call('TTL', K.submitters .. id) < 0 then let_expire(id) end -- made anew: a cancel had emptied it
  return {answer, status, attempt, 0}
end

call('HDEL', job, 'doomed')
if answer == 'joined' then
  if tonumber(seconds) > tonumber(seen[6]) then call('HSET', job, 'max_seconds', seconds) end
  if status == 'queued' then enqueue(id, seen[4], seen[5]) end
  if status == 'cancelling' then -- wanted again before the worker stopped
    status = 'running'
    call('HDEL', job, 'stopping')
    move(id, status)
  end
  return {answer, status, attempt, 0}
end

if mode == 'submit' then
  call('HSET', job, 'document', document, 'parts', parts, 'queue', queue, 'batch', batch, 'max_seconds', seconds,
    'expected', expected, 'uploads', uploads)
else
  queue = seen[4]
end
local order = call('HINCRBY', K.numbers, 'order', 1)
call('HSET', job, 'order', order, 'queued', NOW, 'lost', 0, 'request', request)
if status then
  call('HDEL', job, 'error', 'progress', 'outcome', 'started', 'finished')
  keep(id)
end
for upload in string.gmatch(call('HGET', job, 'uploads') or '', '[^,]+') do call('SADD', K.uses .. upload, id) end
prolong_sources(id)
move(id, 'queued', not status)
enqueue(id, queue, order)
local due = broker == '' or call('LLEN', broker) < math.min(call('ZCARD', K.waiting .. queue), math.max(1, slots(queue)))
return {answer, 'queued', attempt, due and 1 or 0}
