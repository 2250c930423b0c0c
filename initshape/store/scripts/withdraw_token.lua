-- KEYS: token, tokens. ARGV: clock, digest, actor, object of the audit -> 1 where there was one
call('SREM', KEYS[2], ARGV[2])
local gone = call('UNLINK', KEYS[1])
if gone == 1 then record(ARGV[3], 'revoke_token', ARGV[4], 'revoked') end
return gone
