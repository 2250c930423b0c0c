-- KEYS: index. ARGV: clock, limit. Takes ids whose record has expired out of the indexes, oldest first. -> how many
local gone = 0
for _, id in ipairs(call('ZRANGE', K.index, 0, tonumber(ARGV[2]) - 1)) do
  if call('EXISTS', K.job .. id) == 0 then
    call('ZREM', K.index, id)
    for _, status in ipairs({'queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled'}) do
      call('ZREM', K.status .. status, id)
    end
    gone = gone + 1
  end
end
return gone
