-- KEYS: the upload's keys. ARGV: clock, id, user, force (1: whoever else uploaded it)
-- -> answer (missing, foreign: not the caller's, withdrawn: others uploaded it too, busy, deleted), a job that needs it
local id, user, force = ARGV[2], ARGV[3], ARGV[4] == '1'
local given, uses = KEYS[1], KEYS[2]
if call('EXISTS', given) == 0 then return {'missing', ''} end
local own, others = 'user:' .. user, false
for _, field in ipairs(call('HKEYS', given)) do
  if string.sub(field, 1, 5) == 'user:' and field ~= own then others = true end
end
if not force then
  if call('HEXISTS', given, own) == 0 then return {'foreign', ''} end
  if others then
    call('HDEL', given, own)
    return {'withdrawn', ''}
  end
end
for _, job in ipairs(call('SMEMBERS', uses)) do
  local status = call('HGET', K.job .. job, 'status')
  if status == 'queued' or status == 'running' or status == 'cancelling' then return {'busy', job} end
  if not status then call('SREM', uses, job) end
end
call('UNLINK', given, uses)
return {'deleted', ''}
