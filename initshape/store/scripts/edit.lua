-- KEYS: the job's keys. ARGV: clock, id, user, force (1: an admin), changes (JSON: name, tags, notes, pinned)
-- Changes what the user calls the job. With force an admin pins what others have submitted, or lets go of all their pins.
-- -> edited, missing, foreign (the caller is no submitter)
local id, user, force, changes = ARGV[2], ARGV[3], ARGV[4] == '1', cjson.decode(ARGV[5])
local seen = call('HMGET', K.job .. id, 'status', 'number', 'owner', 'doomed')
if not seen[1] or seen[4] then return 'missing' end
local text = call('HGET', K.submitters .. id, user)
local own = text or (call('HLEN', K.submitters .. id) == 0 and seen[3] == user)
local labels = changes.name ~= nil or changes.tags ~= nil or changes.notes ~= nil
if not own and (labels or not force) then return 'foreign' end

local function json(value) -- an empty list and null survive
  if value == nil or value == cjson.null then return 'null' end
  if type(value) == 'table' and #value == 0 then return '[]' end
  return cjson.encode(value)
end

if labels then
  local label = text and cjson.decode(text) or {tags = {}, priority = 0}
  local before = label.tags
  for _, field in ipairs({'name', 'tags', 'notes'}) do
    if changes[field] ~= nil then label[field] = changes[field] end
  end
  call('HSET', K.submitters .. id, user, '{"name":' .. json(label.name) .. ',"tags":' .. json(label.tags) .. ',"notes":'
    .. json(label.notes) .. ',"priority":' .. json(label.priority) .. '}')
  local left = {}
  for _, one in ipairs(call('HVALS', K.submitters .. id)) do
    for _, tag in ipairs(cjson.decode(one).tags) do left[tag] = true end
  end
  for _, tag in ipairs(before) do
    if not left[tag] then call('ZREM', K.tag .. tag, id) end
  end
  for _, tag in ipairs(label.tags) do call('ZADD', K.tag .. tag, seen[2], id) end
  call('ZADD', K.owner .. user, seen[2], id)
  if ended(id) then let_expire(id) end -- the hash may be new
end

if changes.pinned == true then
  call('SADD', K.pins .. id, 'user:' .. user)
  settle_pins(id)
elseif changes.pinned == false then
  if force then unpin(id) else unpin(id, user) end
end
return 'edited'
