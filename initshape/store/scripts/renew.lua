-- KEYS: the job's keys. ARGV: clock, id, fence, lease (ms), progress (JSON, or empty) -> held (1, 0), cancel (1, 0)
local id, fence, lease, progress = unpack(ARGV, 2, 5)
if not holds(id, fence) then return {0, 0} end
call('ZADD', K.leases, NOW + lease, id)
if progress ~= '' then
  call('HSET', K.job .. id, 'progress', progress, 'updated', NOW)
  announce(id, 'progress', progress)
  call('PUBLISH', K.events, cjson.encode({id = id, kind = 'progress'}))
end
return {1, call('HGET', K.job .. id, 'status') == 'cancelling' and 1 or 0}
