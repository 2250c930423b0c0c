-- KEYS: the job's keys. ARGV: clock, id, user, force (1: whoever still wants it), mode (cancel, delete), actor
-- -> answer (missing, unchanged, foreign: not the caller's, withdrawn: others still want it, stopped, deleted), status
local id, user, force, mode, actor = ARGV[2], ARGV[3], ARGV[4] == '1', ARGV[5], ARGV[6]
local action = (force and 'force_' or '') .. mode
local job, submitters = K.job .. id, K.submitters .. id
local seen = call('HMGET', job, 'status', 'queue', 'owner', 'doomed', 'payer')
local status, queue = seen[1], seen[2]
if not status then return {'missing', ''} end
if seen[4] then return {mode == 'delete' and 'deleted' or 'unchanged', status} end
if mode == 'cancel' and status ~= 'queued' and status ~= 'running' then return {'unchanged', status} end

local own = call('HGET', submitters, user)
local others = call('HLEN', submitters) - (own and 1 or 0)
if not force then
  if not own and (others > 0 or seen[3] ~= user) then return {'foreign', status} end
  if own and mode == 'delete' then call('ZREM', K.owner .. user, id) end
  if others > 0 then
    if status == 'queued' then leave_line(id, queue, line_name(cjson.decode(own).priority, user)) end
    call('HDEL', submitters, user)
    call('HDEL', K.hooks .. id, 'user:' .. user)
    unpin(id, user)
    call('SREM', K.active .. user, id)
    if seen[5] == user then
      local heir = call('HKEYS', submitters)[1]
      pass_on(K.result .. id, user, heir)
      call('HSET', job, 'payer', heir)
    end
    record(actor, action, id, 'withdrawn')
    return {'withdrawn', status}
  end
end

if status == 'queued' then
  dequeue(id, queue)
  settle(id, 'cancelled')
  status = 'cancelled'
elseif status == 'running' then
  call('HSET', job, 'stopping', NOW)
  move(id, 'cancelling')
  status = 'cancelling'
end
if status == 'cancelling' then vacate(id) end
call('UNLINK', submitters)
unpin(id)
record(actor, action, id, mode == 'cancel' and 'stopped' or 'deleted')
if mode == 'cancel' then return {'stopped', status} end
if status == 'cancelling' then
  call('HSET', job, 'doomed', 1) -- goes when its worker has stopped
else
  erase(id)
end
return {'deleted', status}
