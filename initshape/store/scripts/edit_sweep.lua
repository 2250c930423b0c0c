-- KEYS: sweep. ARGV: clock, id, user, force (1: an admin), changes (JSON: name, tags, notes, kept)
-- -> edited, missing, foreign (the caller does not own it)
local place, id, user, force, changes = KEYS[1], ARGV[2], ARGV[3], ARGV[4] == '1', cjson.decode(ARGV[5])
local owner = call('HGET', place, 'owner')
if not owner then return 'missing' end
if owner ~= user and not force then return 'foreign' end
for _, field in ipairs({'name', 'notes'}) do
  local value = changes[field]
  if value ~= nil then call('HSET', place, field, value == cjson.null and '' or value) end
end
if changes.tags ~= nil then
  call('HSET', place, 'tags', #changes.tags == 0 and '[]' or cjson.encode(changes.tags))
end
if changes.kept == true then
  call('HSET', place, 'kept', 1)
  call('PERSIST', place)
elseif changes.kept == false then
  call('HDEL', place, 'kept')
  call('EXPIRE', place, T.sweep)
end
return 'edited'
