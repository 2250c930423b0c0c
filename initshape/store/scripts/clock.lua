-- What stands before every script, with quota.lua and library.lua. K (key names) and T (lifetimes) come from keys.py; ARGV[1] is the clock in
-- milliseconds, empty for the server's own. Only commands of Redis 6.2.

local call = redis.call

local function clock()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local NOW = clock()

