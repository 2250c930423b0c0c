-- KEYS: the job's keys, upload. ARGV: clock, id, fence, known (1: may answer later submissions), outcome,
--   class of its duration, names of what is tallied beside it (one a line; both may be empty)
-- The upload becomes the result in the same step in which the fence is checked. -> accepted, stale, missing
local id, fence, known, outcome, class, names = unpack(ARGV, 2, 7)
local job, upload = K.job .. id, KEYS[#KEYS]
if not holds(id, fence) then
  local seen = call('HMGET', job, 'status', 'fence')
  call('UNLINK', upload)
  if seen[1] == 'succeeded' and seen[2] == fence then return 'accepted' end -- the answer was lost on the way
  return 'stale'
end
local dataset = call('HGET', upload, 'dataset')
if not dataset or dataset ~= '' and call('HEXISTS', K.dataset .. dataset, 'complete') == 0 then return 'missing' end
local pinned = call('HEXISTS', job, 'pinned') == 1
if pinned then hold(id, false) end -- what the result before this one shared
local payer, owner = unpack(call('HMGET', job, 'payer', 'owner'))
if payer then release(payer, K.result .. id) end
payer = owner
if call('HEXISTS', K.submitters .. id, owner) == 0 then payer = call('HKEYS', K.submitters .. id)[1] or owner end
call('HSET', job, 'payer', payer)
charge(payer, K.result .. id, weight(upload))
if dataset ~= '' and call('HSETNX', K.dataset .. dataset, 'payer', payer) == 1 then
  charge(payer, K.dataset .. dataset, weight(K.dataset .. dataset))
end
call('RENAME', upload, K.result .. id)
if pinned then
  call('PERSIST', K.result .. id)
  hold(id, true)
else
  call('EXPIRE', K.result .. id, T.result)
end
call('HSET', job, 'known', known, 'outcome', outcome)
call('HDEL', job, 'progress', 'error')
learn(id, class)
tally('outcome ' .. outcome)
for name in string.gmatch(names, '[^\n]+') do tally(name) end
close_attempt(id, 'finished')
settle(id, 'succeeded')
return 'accepted'
