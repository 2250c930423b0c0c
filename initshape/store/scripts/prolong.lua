-- KEYS: a dataset, part or given, or a sweep. ARGV: clock, family, name
local family, name = ARGV[2], ARGV[3]
if family == 'sweep' then
  if call('HEXISTS', K.sweep .. name, 'kept') == 1 then
    call('PERSIST', K.sweep .. name)
  else
    call('EXPIRE', K.sweep .. name, T.sweep)
  end
elseif family == 'given' then
  prolong_upload(name)
else
  prolong(family, name, family == 'dataset' and T.result or T.part)
end
return 1
