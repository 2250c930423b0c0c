-- KEYS: index. ARGV: clock, limit. Takes ids whose record has expired out of the indexes -> how many
-- Some at a time, and others each half second: those that live for long must not hide the rest.
local gone, limit = 0, tonumber(ARGV[2])
local turns = math.max(1, math.ceil(call('ZCARD', KEYS[1]) / limit))
local first = math.floor(NOW / 500) % turns * limit
for _, id in ipairs(call('ZRANGE', KEYS[1], first, first + limit - 1)) do
  if call('EXISTS', K.job .. id) == 0 then
    call('ZREM', KEYS[1], id)
    for _, status in ipairs({'queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled'}) do
      call('ZREM', K.status .. status, id)
    end
    gone = gone + 1
  end
end
return gone
