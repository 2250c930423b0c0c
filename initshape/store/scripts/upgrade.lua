-- KEYS: none. ARGV: clock, format that was found (0: nothing stored), new format, counters to add (JSON)
-- -> 1; 0 where somebody else has changed the format meanwhile
local found, new = tonumber(ARGV[2]), ARGV[3]
if math.max(1, written) ~= math.max(1, found) then return 0 end
for name, by in pairs(cjson.decode(ARGV[4])) do tally(name, by) end
call('SET', K.format, new)
return 1
