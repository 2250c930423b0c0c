-- KEYS: the upload's keys. ARGV: clock, id, user, force (1: whoever else uploaded it), actor
-- -> answer (missing, foreign: not the caller's, withdrawn: others uploaded it too, busy, deleted), a job that needs it
local id, user, force = ARGV[2], ARGV[3], ARGV[4] == '1'
local given, uses = KEYS[1], KEYS[2]
if call('EXISTS', given) == 0 then return {'missing', ''} end
local own, others, actor = 'user:' .. user, false, ARGV[5]
local payer = call('HGET', given, 'payer')
for _, field in ipairs(call('HKEYS', given)) do
  if string.sub(field, 1, 5) == 'user:' and field ~= own then others = string.sub(field, 6) end
end
if not force then
  if call('HEXISTS', given, own) == 0 then return {'foreign', ''} end
  if others then
    call('HDEL', given, own)
    if payer == user then
      pass_on(given, user, others)
      call('HSET', given, 'payer', others)
    end
    record(actor, 'delete_upload', id, 'withdrawn')
    return {'withdrawn', ''}
  end
end
for _, job in ipairs(call('SMEMBERS', uses)) do
  local status = call('HGET', K.job .. job, 'status')
  if status == 'queued' or status == 'running' or status == 'cancelling' then return {'busy', job} end
  if not status then call('SREM', uses, job) end
end
call('UNLINK', given, uses)
if payer then release(payer, given) end
record(actor, (force and 'force_' or '') .. 'delete_upload', id, 'deleted')
return {'deleted', ''}
