-- KEYS: none. ARGV: clock, user, mode (submit, rerun), most active jobs, most stored bytes (0: any), actor, action,
--   object of the audit, then ids
-- Makes room for all of the jobs, or for none: they count as active from now on, and `submit` follows.
-- -> '' or crowded or stuffed, what is held, how many are new
local user, mode, most_active, most_stored = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local new, computed = {}, false
for k = 9, #ARGV do
  local id = ARGV[k]
  local seen = call('HMGET', K.job .. id, 'status', 'known')
  local known = mode == 'submit' and seen[1] == 'succeeded' and seen[2] == '1' and call('EXISTS', K.result .. id) == 1
  if not known then
    if call('SISMEMBER', K.active .. user, id) == 0 then new[#new + 1] = id end
    if seen[1] ~= 'queued' and seen[1] ~= 'running' and seen[1] ~= 'cancelling' then computed = true end
  end
end
local excess, number = beyond(user, most_active, #new, computed and most_stored or 0, 0)
if excess == '' then
  for _, id in ipairs(new) do call('SADD', K.active .. user, id) end
end
record(ARGV[6], ARGV[7], ARGV[8], excess == '' and 'accepted' or excess)
return {excess, number, #new}
