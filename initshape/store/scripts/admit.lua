-- KEYS: token. ARGV: clock, digest, kind (read, write), rate a second, burst, exempt (1: admins have no limit)
-- -> milliseconds to wait (0: come in), user, role, label; empty for a token that does not hold
if not token_holds(ARGV[2]) then return {} end
local user, role, label = unpack(call('HMGET', KEYS[1], 'user', 'role', 'label'))
local free = role == 'admin' and ARGV[6] == '1'
return {free and 0 or take_credit(user, ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])), user, role, label}
