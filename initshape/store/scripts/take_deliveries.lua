-- KEYS: outbox. ARGV: clock, limit, lease (ms). What is due; whoever takes it has the lease to report, then it is due again.
-- -> for each: number, subject, user, url, status, attempt, outcome, at, tries (this one counted)
local found = {}
for _, number in ipairs(call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', NOW), 'LIMIT', 0, ARGV[2])) do
  local place = K.delivery .. number
  if call('EXISTS', place) == 0 then
    call('ZREM', KEYS[1], number)
  else
    call('ZADD', KEYS[1], NOW + tonumber(ARGV[3]), number)
    local tries = call('HINCRBY', place, 'tries', 1)
    local row = call('HMGET', place, 'subject', 'user', 'url', 'status', 'attempt', 'outcome', 'at')
    table.insert(row, 1, number)
    row[#row + 1] = tries
    for _, value in ipairs(row) do found[#found + 1] = value end
  end
end
return found
