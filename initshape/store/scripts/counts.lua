-- KEYS: sweep. ARGV: clock -> missing, queued, running, succeeded, failed, cancelled (cancelling counts as running)
local cells = call('HGET', KEYS[1], 'cells')
if not cells then return false end
local found = {missing = 0, queued = 0, running = 0, succeeded = 0, failed = 0, cancelled = 0, cancelling = 0}
for id in string.gmatch(cells, '[^,]+') do
  local status = call('HGET', K.job .. id, 'status') or 'missing'
  found[status] = found[status] + 1
end
return {found.missing, found.queued, found.running + found.cancelling, found.succeeded, found.failed, found.cancelled}
