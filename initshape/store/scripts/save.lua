-- KEYS: the job's keys, saving, checkpoint. ARGV: clock, id, fence
-- A checkpoint that was written under the fence's own key becomes the job's, in the same step in which the fence is
-- checked. -> accepted, stale, missing
local id, fence = ARGV[2], ARGV[3]
local saving, checkpoint = KEYS[#KEYS - 1], KEYS[#KEYS]
if not holds(id, fence) then
  call('UNLINK', saving)
  return 'stale'
end
if call('HEXISTS', saving, 'digest') == 0 then return 'missing' end
call('RENAME', saving, checkpoint)
call('PERSIST', checkpoint)
return 'accepted'
