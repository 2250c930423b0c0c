-- KEYS: the job's keys. ARGV: clock, id, fence, how (failed, stopped, handed_over), error (JSON) -> accepted, stale
local id, fence, how, problem = unpack(ARGV, 2, 5)
if not holds(id, fence) then return 'stale' end
give_up(id, how, problem, 0)
return 'accepted'
