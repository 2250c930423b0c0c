-- KEYS: the job's keys.
-- ARGV: clock, id, document, parts, queue, batch, user, submitter (JSON with priority), tags (JSON), max_seconds, mode,
--   expected seconds, uploads that the document names, id of the HTTP request, who is to hear of the end (user:...,
--   sweep:..., or empty), where
-- mode: submit; rerun (no document: keep the stored one, and compute again what is known)
-- -> answer (known, joined, queued, missing), status, attempt
local id, document, parts, queue, batch, user, submitter = unpack(ARGV, 2, 8)
local tags, seconds, mode, expected, uploads, request, hook, url = unpack(ARGV, 9, 16)
local job = K.job .. id
local seen = call('HMGET', job, 'status', 'attempt', 'known', 'queue', 'order', 'max_seconds', 'number')
local status, attempt = seen[1], tonumber(seen[2] or '0')

if not status and mode == 'rerun' then return {'missing', '', 0} end

local answer
if not status then
  answer = 'queued'
  seen[7] = call('HINCRBY', K.numbers, 'number', 1)
  call('HSET', job, 'number', seen[7], 'attempt', 0, 'fence', 0, 'created', NOW, 'owner', user)
  call('ZADD', K.index, seen[7], id)
elseif status == 'queued' or status == 'running' or status == 'cancelling' then
  answer = 'joined'
elseif status == 'succeeded' and seen[3] == '1' and mode == 'submit' and call('EXISTS', K.result .. id) == 1 then
  answer = 'known'
else
  answer = 'queued'
end

tally('submitted ' .. answer)

-- the line depends on the priority, which a second submission of the same user may change
if status == 'queued' then dequeue(id, seen[4]) end
call('HSET', K.submitters .. id, user, submitter)
call('ZADD', K.owner .. user, seen[7], id)
for _, tag in ipairs(cjson.decode(tags)) do call('ZADD', K.tag .. tag, seen[7], id) end

if hook ~= '' then
  call('HSET', K.hooks .. id, hook, url)
  if string.sub(hook, 1, 6) == 'sweep:' then call('SADD', K.unsettled .. string.sub(hook, 7), id) end
  if answer == 'known' then tell(id) end
end

if answer ~= 'queued' then prolong_sources(id) end -- they may have been sent again, with a lifetime
if answer == 'known' then
  touch(id)
  return {answer, status, attempt}
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
  return {answer, status, attempt}
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
return {answer, 'queued', attempt}
