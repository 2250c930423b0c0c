-- KEYS: audit. ARGV: clock, actor, action, object, outcome, once ('': always; else a name: at most once a second)
if ARGV[6] ~= '' and not call('SET', K.denied .. ARGV[6], 1, 'NX', 'PX', 1000) then return 0 end
record(ARGV[2], ARGV[3], ARGV[4], ARGV[5])
return 1
