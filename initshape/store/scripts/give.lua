-- KEYS: the upload's keys, and the staging key where its content lies ready (none: only look whether it is known).
-- ARGV: clock, id, user, bytes, most stored (0: any), actor -> known, created, missing (it has to be staged first),
-- stuffed (its user holds too much)
local id, user = ARGV[2], ARGV[3]
local given, staged = KEYS[1], KEYS[3]
local answer = 'known'
if call('EXISTS', given) == 1 then
  if staged then call('UNLINK', staged) end
elseif staged and call('HEXISTS', staged, 'complete') == 1 then
  call('RENAME', staged, given)
  call('HSET', given, 'owner', user, 'created', NOW, 'payer', user)
  charge(user, given, tonumber(ARGV[4]))
  answer = 'created'
else
  return beyond(user, 0, 0, tonumber(ARGV[5]), tonumber(ARGV[4])) ~= '' and 'stuffed' or 'missing'
end
call('HSETNX', given, 'user:' .. user, NOW)
prolong_upload(id)
record(ARGV[6], 'upload', id, answer)
return answer
