-- KEYS: the job's keys. ARGV: clock, id
-- -> jobs that will be claimed before this one if nobody else comes, -1 where it does not wait.
-- Exact for jobs with one submitter: fair sharing is simulated by arithmetic on the tags.
local id = ARGV[2]
local seen = call('HMGET', K.job .. id, 'status', 'queue')
if seen[1] ~= 'queued' then return -1 end
local queue, best = seen[2], -1
local all = call('ZRANGE', K.lines .. queue, 0, -1, 'WITHSCORES')
for _, name in ipairs(lines_of(id)) do
  local rank = call('ZRANK', K.line .. queue .. ':' .. name, id)
  local score = call('ZSCORE', K.lines .. queue, name)
  if rank and score then
    local ahead, mine = rank, tonumber(score) + rank
    for i = 1, #all, 2 do
      local other, theirs = all[i], tonumber(all[i + 1])
      if other ~= name then
        local length = call('ZCARD', K.line .. queue .. ':' .. other)
        local turns = priority_of(other) > priority_of(name) and length or mine - theirs + (other < name and 1 or 0)
        ahead = ahead + math.max(0, math.min(length, turns))
      end
    end
    if best < 0 or ahead < best then best = ahead end
  end
end
return best
